package jwks

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// parseStatic reads a JWK Set or PEM.
func parseStatic(data []byte) (*document, error) {
	if len(data) > maxKeySetBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxKeySetBytes)
	}
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return parseKeySet(data)
	}
	return parsePEM(data)
}

func parsePEM(data []byte) (*document, error) {
	c := newCollector()
	blocks, begun := 0, bytes.Count(data, []byte("-----BEGIN "))
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			break
		}
		blocks++
		if blocks > maxKeys {
			return nil, fmt.Errorf("more than the %d PEM blocks that are read", maxKeys)
		}
		kid := strings.ToValidUTF8(block.Headers["kid"], "\uFFFD") // as JSON would have it
		why := parseBlock(c, kid, block)
		if why != nil {
			c.skip(SkippedKey{Index: blocks - 1, KeyID: kid, Type: block.Type, Reason: why.reason, Normal: why.normal})
		}
	}
	if blocks == 0 {
		return nil, errors.New("neither a JWK Set nor PEM")
	}
	if damaged := begun - blocks; damaged > 0 { // which encoding/pem passes over in silence
		c.skip(SkippedKey{Index: blocks, Reason: fmt.Sprintf("%d of the PEM blocks cannot be decoded", damaged)})
	}
	return &c.doc, nil
}

func parseBlock(c *collector, kid string, block *pem.Block) *skip {
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = cert.PublicKey
		}
	default:
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return &skip{reason: "a private key; only public keys belong here"}
		}
		return &skip{reason: "a PEM block of type " + quoted(block.Type)}
	}
	if err != nil {
		return &skip{reason: "it cannot be parsed"}
	}
	key, why := check(public)
	if why != nil {
		return why
	}
	return c.add(kid, "", key)
}
