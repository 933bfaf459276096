package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-listen", "127.0.0.1:0"}, func(string) string { return "" }, in, t.Output())
		in.Close()
	}()
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("the program wrote nothing: %v, %v", err, <-ended)
	}
	address, ok := strings.CutPrefix(strings.TrimSpace(string(line[:n])), "Open ")
	if !ok {
		t.Fatalf("got %q, want an address to open", line[:n])
	}
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get(address)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v %v", resp, err)
	}
	resp.Body.Close()
	// A stream that is open does not keep the program from ending.
	visit := resp.Cookies()[0]
	req, _ := http.NewRequest("GET", address+"/events", nil)
	req.AddCookie(visit)
	stream, err := client.Do(req)
	if err != nil || stream.StatusCode != 200 {
		t.Fatalf("got %v %v", stream, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
	stream.Body.Close()
	client.CloseIdleConnections()
}

func TestReadConfig(t *testing.T) {
	noEnvironment := func(string) string { return "" }
	for _, test := range []struct {
		args string
		want string // part of the error, "" for none
	}{
		{"", ""},
		{"-listen 127.0.0.2:80", ""},
		{"-listen [::1]:80", ""},
		{"-listen :8081", "loopback"},
		{"-listen 0.0.0.0:8081", "loopback"},
		{"-listen 192.0.2.1:8081", "loopback"},
		{"-listen localhost:8081", "loopback"},
		{"-listen 127.0.0.1", "-listen"},
		{"-skew 0s", ""},
		{"-skew -1s", "-skew"},
		{"-skew 10m1s", "-skew"},
		{"-leeway -1s", "-leeway"},
		{"serve", "serve"},
	} {
		_, err := readConfig(strings.Fields(test.args), noEnvironment, io.Discard)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error about %q", test.args, err, test.want)
		}
	}
	if _, err := readConfig([]string{"-help"}, noEnvironment, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: got %v", err)
	}

	c, err := readConfig([]string{"-resource", "urn:orders", "-scopes", "openid  orders"}, func(name string) string {
		if name == secretVariable {
			return "hush"
		}
		return ""
	}, io.Discard)
	if err != nil || c.audience != "urn:orders" || c.clientSecret != "hush" || strings.Join(c.scopes, ",") != "openid,orders" {
		t.Errorf("got %+v %v", c, err)
	}
	c, err = readConfig(nil, noEnvironment, io.Discard)
	if err != nil || c.audience != "api1" || c.lifetime != time.Minute || c.skew != time.Minute {
		t.Errorf("got %+v %v", c, err)
	}
	if c.skew = 0; c.verifierSkew() >= 0 {
		t.Error("-skew 0 is the default of the verifier")
	}
}

func TestOrigin(t *testing.T) {
	for base, want := range map[string]string{
		"http://127.0.0.1:80":   "http://127.0.0.1",
		"http://[::1]:80":       "http://[::1]",
		"http://127.0.0.1:8080": "http://127.0.0.1:8080",
		"http://127.0.0.1:180":  "http://127.0.0.1:180",
	} {
		if got := origin(base); got != want {
			t.Errorf("%s: got %s, want %s", base, got, want)
		}
	}
}
