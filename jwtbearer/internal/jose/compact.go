// Package jose reads JSON Web Signatures in compact serialization (RFC 7515)
// and checks them with the standard library's primitives.
package jose

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

// What is wrong with a serialization. Each is a constant: nothing of the input
// is in the text.
var (
	ErrMalformed     = errors.New("not a compact JWS")
	ErrEncrypted     = errors.New("a JWE")
	ErrSerialization = errors.New("a JSON serialization")
	ErrDetached      = errors.New("no payload")
	ErrUnencoded     = errors.New("an unencoded payload")
	ErrCritical      = errors.New("a critical header parameter")
	ErrHeader        = errors.New("not a JOSE header")
)

// The bounds on segments, of which only the payload is as long as a token may be.
const (
	maxHeaderSegment    = 12 << 10 // a chain of certificates in x5c, which nobody reads, fits
	maxSignatureSegment = 1366     // of 1,024 bytes, by the largest RSA key there is
)

// Compact is a compact serialization cut at its dots. Header and payload are not
// empty; what is in the segments shows when [AppendSegment] decodes them.
type Compact struct {
	Header, Payload, Signature string
	// SigningInput is what the signature covers (RFC 7515, Section 5.1).
	SigningInput string
}

// Split cuts raw into its three segments. It returns [ErrEncrypted] for five
// segments (RFC 7516, Section 9), [ErrSerialization] for a JSON object,
// [ErrDetached] for an empty payload (RFC 7515, Appendix F), and
// [ErrMalformed] for any other number of segments, or a header or signature that
// is longer than any. The signature may be empty, as that of an unsecured JWS is
// (RFC 7515, Appendix A.5): no key verifies it.
func Split(raw string) (Compact, error) {
	if strings.HasPrefix(raw, "{") {
		return Compact{}, ErrSerialization
	}
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	switch {
	case !ok || header == "":
		return Compact{}, ErrMalformed
	case strings.IndexByte(signature, '.') >= 0:
		if strings.Count(signature, ".") == 2 {
			return Compact{}, ErrEncrypted
		}
		return Compact{}, ErrMalformed
	case payload == "":
		return Compact{}, ErrDetached
	case len(header) > maxHeaderSegment, len(signature) > maxSignatureSegment:
		return Compact{}, ErrMalformed
	}
	return Compact{
		Header:       header,
		Payload:      payload,
		Signature:    signature,
		SigningInput: raw[:len(header)+1+len(payload)],
	}, nil
}

// AppendSegment appends the bytes that segment encodes to dst. Only the one
// canonical encoding is accepted: the alphabet of RFC 4648, Section 5, unpadded,
// and with trailing bits of zero, so that no two texts are the same token
// (Section 3.5 there).
func AppendSegment(dst []byte, segment string) ([]byte, error) {
	// encoding/base64 skips line breaks, even where it is strict.
	if strings.IndexByte(segment, '\n') >= 0 || strings.IndexByte(segment, '\r') >= 0 {
		return dst, ErrMalformed
	}
	// DecodedLen of the unpadded encoding is exact.
	n := base64.RawURLEncoding.DecodedLen(len(segment))
	start := len(dst)
	if cap(dst)-start < n+len(segment) {
		grown := make([]byte, start, start+n+len(segment))
		copy(grown, dst)
		dst = grown
	}
	// The encoding reads bytes: lay the segment behind the room for its result,
	// which spares the copy that a conversion would allocate.
	src := dst[start+n : start+n+len(segment)]
	copy(src, segment)
	got, err := strict.Decode(dst[start:start+n], src)
	if err != nil || got != n {
		return dst[:start], ErrMalformed
	}
	return dst[:start+n], nil
}

var strict = base64.RawURLEncoding.Strict()

// CheckSegment reports whether [AppendSegment] would decode the segment, for less
// than half of what that costs.
func CheckSegment(segment string) bool {
	if !base64url.HasAll(segment) {
		return false
	}
	unused := byte(0) // bits of the last character
	switch len(segment) % 4 {
	case 1:
		return false
	case 2:
		unused = 0b1111
	case 3:
		unused = 0b11
	}
	return unused == 0 || byte(strings.IndexByte(base64urlDigits, segment[len(segment)-1]))&unused == 0
}

const base64urlDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

var base64url = NewAlphabet(base64urlDigits)

// Header is a parsed JOSE header: the parameters that take part in a decision.
// jku, jwk, x5u and x5c are not among them and are never read: a token does
// not choose its key (RFC 8725, Section 3.10). It is immutable.
type Header struct {
	Algorithm string // alg
	KeyID     string // kid; "" if absent
	Type      string // typ as it stands; "" if absent
	MediaType string // typ in lower case without "application/"
}

// maxHeaderMembers bounds a JOSE header, of which no one has a tenth of that.
// Everybody can make this package read one.
const maxHeaderMembers = 256

// ParseHeader parses the decoded header text. It returns [ErrCritical] for any
// crit at all, [ErrUnencoded] if that or b64 itself asks for an unencoded
// payload (RFC 7797), and [ErrHeader] for what is no JOSE header.
func ParseHeader(text string) (*Header, error) {
	o, err := strictjson.ParseSmall(text, maxHeaderMembers)
	if err != nil {
		return nil, ErrHeader
	}
	h := new(Header)
	if v, ok := o.Get("b64"); ok && v.Raw() != "true" {
		return nil, ErrUnencoded
	}
	if _, ok := o.Get("crit"); ok {
		return nil, ErrCritical
	}
	if h.Algorithm, err = text1(&o, "alg", true); err != nil {
		return nil, err
	}
	if h.KeyID, err = text1(&o, "kid", false); err != nil {
		return nil, err
	}
	if h.Type, err = text1(&o, "typ", false); err != nil {
		return nil, err
	}
	h.MediaType = MediaType(h.Type)
	return h, nil
}

// text1 returns the header parameter name, which must be a string that is not
// empty: "" is how [Header] says that a parameter is absent.
func text1(o *strictjson.Object, name string, required bool) (string, error) {
	v, ok := o.Get(name)
	if !ok && !required {
		return "", nil
	}
	s, ok := v.Str()
	if !ok || s == "" {
		return "", ErrHeader
	}
	return s, nil
}

// MediaType normalizes a typ value for comparison: ASCII lower case, and
// without the prefix "application/" that may be left out when no other slash
// follows (RFC 7515, Section 4.1.9).
func MediaType(typ string) string {
	typ = lower(typ)
	if rest, ok := strings.CutPrefix(typ, "application/"); ok && rest != "" && !strings.Contains(rest, "/") {
		return rest
	}
	return typ
}

// lower folds ASCII only: strings.ToLower would make k of the Kelvin sign.
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
