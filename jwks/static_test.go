package jwks_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

func block(t *testing.T, kind string, der []byte, err error, kid string) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b := &pem.Block{Type: kind, Bytes: der}
	if kid != "" {
		b.Headers = map[string]string{"kid": kid}
	}
	return pem.EncodeToMemory(b)
}

func pkix256(t *testing.T, kid string, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	return block(t, "PUBLIC KEY", der, err, kid)
}

func TestPEM(t *testing.T) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour), // long over; a key has no date
	}
	cert, certErr := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	private, privateErr := x509.MarshalPKCS8PrivateKey(signer)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Join([][]byte{
		[]byte("Keys of the test\n"),
		pkix256(t, "spki", newEC(elliptic.P256())),
		pkix256(t, "ed", newEd()),
		block(t, "CERTIFICATE", cert, certErr, "cert"),
		block(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(rsaKey()), nil, "pkcs1"),
		pkix256(t, "", newEC(elliptic.P384())),
		block(t, "PRIVATE KEY", private, privateErr, "private"),
		pkix256(t, "weak", weak.Public()),
		pkix256(t, "p224", p224.Public()),
		block(t, "PUBLIC KEY", []byte("junk"), nil, "junk"),
		block(t, "DH PARAMETERS", []byte("junk"), nil, "dh"),
	}, []byte("\n"))
	s := static(t, string(data))

	for kid, alg := range map[string]string{"spki": "ES256", "ed": "EdDSA", "cert": "ES256", "pkcs1": "RS256", "": "ES384"} {
		if keys, err := s.Find(context.Background(), kid, alg); err != nil || len(keys) != 1 || keys[0].ID() != kid {
			t.Errorf("Find(%q, %s): got %d keys, %v", kid, alg, len(keys), err)
		}
	}
	keys, _ := s.Find(context.Background(), "cert", "ES256")
	if !signer.PublicKey.Equal(keys[0].Public()) {
		t.Error("the key of the certificate is another one")
	}
	reasons := map[string]string{}
	for _, k := range s.Status().Skipped {
		reasons[k.KeyID] = k.Reason
	}
	for kid, reason := range map[string]string{"private": "private", "weak": "1024", "p224": "curve", "junk": "parsed", "dh": "DH PARAMETERS"} {
		if !strings.Contains(reasons[kid], reason) {
			t.Errorf("%s: skipped because %q, want %q", kid, reasons[kid], reason)
		}
	}
	if len(reasons) != 5 {
		t.Errorf("skipped %v, want five", reasons)
	}
}

// A block that is damaged is not passed over in silence.
func TestDamagedPEM(t *testing.T) {
	good := string(pkix256(t, "good", newEd()))
	for name, bad := range map[string]string{
		"a stray character": strings.Replace(string(pkix256(t, "bad", newEd())), "MC", "M\x00C", 1),
		"cut off":           string(pkix256(t, "bad", newEd()))[:60],
	} {
		s := static(t, good+bad+good)
		skipped := s.Status().Skipped
		if len(s.Keys()) != 1 || !slices.ContainsFunc(skipped, func(k jwks.SkippedKey) bool { return strings.Contains(k.Reason, "cannot be decoded") }) {
			t.Errorf("%s: got %d keys and %+v, want the good one and what was skipped", name, len(s.Keys()), skipped)
		}
	}
}

func TestManyPEMBlocks(t *testing.T) {
	one := pkix256(t, "", newEd())
	for n, want := range map[int]string{2000: "", 2001: "more than the 2000"} {
		_, err := jwks.NewStatic(testIssuer, bytes.Repeat(one, n), &jwks.StaticOptions{Logger: discard})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d blocks: got %v, want %q", n, err, want)
		}
	}
}

func TestStatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := static(t, document(ecJWK("a")))
		if s.Issuer() != testIssuer || s.TokenIssuer() != testIssuer {
			t.Errorf("issuers: %q, %q", s.Issuer(), s.TokenIssuer())
		}
		if err := s.Ready(); err != nil {
			t.Error(err)
		}
		if err := s.WaitReady(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Refresh(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * 365 * 24 * time.Hour)
		expect(t, s, "a", result{200, 0})
		expect(t, s, "b", result{401, 0})
		keys, _ := s.Find(context.Background(), "a", "ES256")
		if err := s.Holds(keys[0], time.Now()); err != nil {
			t.Errorf("Holds: %v", err)
		}
		if status := s.Status(); !status.NextRefresh.IsZero() || !status.StaleAt.IsZero() || !status.Ready {
			t.Errorf("status: %+v", status)
		}
		_ = s.Close()
		if err := s.Holds(keys[0], time.Now()); !errors.Is(err, jwks.ErrClosed) {
			t.Errorf("Holds after Close: %v", err)
		}
		if err := s.Refresh(context.Background()); !errors.Is(err, jwks.ErrClosed) {
			t.Errorf("Refresh after Close: %v", err)
		}
		expect(t, s, "a", result{503, 0})
		expect(t, s, "b", result{503, 0})
	})
}

func TestStaticConfiguration(t *testing.T) {
	good := []byte(document(ecJWK("a")))
	if _, err := jwks.NewStatic("", good, nil); err == nil || !strings.Contains(err.Error(), "issuer") {
		t.Errorf("no issuer: got %v", err)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		issuer, path string
		opts         *jwks.StaticOptions
		want         string
	}{
		"no issuer":     {"", path, nil, "issuer"},
		"no file":       {testIssuer, path + "x", nil, "no such file"},
		"a directory":   {testIssuer, filepath.Dir(path), nil, "no regular file"},
		"negative poll": {testIssuer, path, &jwks.StaticOptions{Poll: -1}, "Poll"},
		"hasty poll":    {testIssuer, path, &jwks.StaticOptions{Poll: time.Millisecond}, "Poll"},
	} {
		if s, err := jwks.NewFile(test.issuer, test.path, test.opts); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
			if s != nil {
				_ = s.Close()
			}
		}
	}
}

// Files are no durable blocking in a bubble: reading one takes no time in it.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	write := func(t *testing.T, data []byte) {
		t.Helper()
		if err := os.WriteFile(path+".new", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write(t, []byte(document(ecJWK("a"))))
	synctest.Test(t, func(t *testing.T) {
		var log logged
		rotated := 0
		s, err := jwks.NewFile(testIssuer, path, &jwks.StaticOptions{Logger: log.logger(), Events: &jwks.Events{
			Rotated: func(jwks.RotatedEvent) { rotated++ },
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		expect(t, s, "a", result{200, 0})

		t.Log("a change is found at the next look")
		write(t, pkix256(t, "b", newEC(elliptic.P256())))
		time.Sleep(6 * time.Second)
		expect(t, s, "b", result{200, 0})
		synctest.Wait()
		if rotated != 1 {
			t.Errorf("got %d rotations, want 1", rotated)
		}

		t.Log("or when a token asks for it")
		write(t, []byte(document(ecJWK("c"))))
		expect(t, s, "c", result{200, 0})

		t.Log("a broken file changes nothing")
		for name, data := range map[string][]byte{
			"broken": []byte("{"), "empty": {}, "unusable": []byte(`{"keys":[]}`), "large": bytes.Repeat([]byte(" "), 2<<20),
		} {
			write(t, data)
			time.Sleep(time.Minute)
			if status := s.Status(); status.Failures == 0 || status.LastError == "" || !status.Ready {
				t.Errorf("%s: the status does not show it: %+v", name, status)
			}
			expect(t, s, "c", result{200, 0})
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		expect(t, s, "c", result{200, 0})
		if log.count("level=WARN", "reading the keys failed") == 0 {
			t.Error("the log does not tell of it")
		}

		t.Log("and it recovers")
		write(t, []byte(document(ecJWK("d"))))
		time.Sleep(6 * time.Second)
		expect(t, s, "d", result{200, 0})
		expect(t, s, "c", result{401, 0})
		if got := s.Status(); got.KeysURL != path || got.Failures != 0 {
			t.Errorf("status: %+v", got)
		}
	})
}
