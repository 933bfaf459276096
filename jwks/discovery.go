package jwks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const maxMetadataBytes = 256 << 10

// metadataMaxAge is how long ago the metadata may have been asked for when a
// forced refresh that brought no new key asks whether the key set has moved.
const metadataMaxAge = time.Minute

// An authority is a source of keys behind HTTP. Only the goroutine of its set
// uses it.
type authority struct {
	fetcher
	issuer    string   // as configured
	wellKnown []string // where the metadata may be, in order; none with JWKSURL

	metadataURL   string // the one that answered last
	metadata      *metadata
	metadataTried time.Time // when it was last asked for
	outdated      error     // why that failed; nil if it did not
	metadataKnown validators

	keysURL   string // where keys was read
	keys      *document
	keysKnown validators
	keysFresh freshFor // of the last answer that said so

	closeIdle func() // nil for a client that is not ours
}

// metadata is what is used of the metadata document.
type metadata struct{ issuer, jwksURI string }

// load implements source.
func (a *authority) load(ctx context.Context, m mode, sending func() bool) (*document, freshFor, error) {
	from, issuer := a.keysURL, a.issuer
	discovered := len(a.wellKnown) > 0
	var outdated error // why the metadata could not be read now
	if discovered {
		// Who waits for a key should wait for nothing but the keys.
		if m != demanded || a.metadata == nil {
			outdated = a.discover(ctx, m)
			if a.metadata == nil || a.silent(outdated) {
				return nil, freshFor{}, outdated
			}
		}
		// Where the authority said that its keys are, it can still take one away,
		// whatever has become of its metadata.
		from, issuer = a.metadata.jwksURI, a.metadata.issuer
	}
	before := a.keys
	doc, err := a.read(ctx, from, sending() || m != scheduled)
	if discovered && m == demanded && (err != nil || !bringsNew(before, doc)) && time.Since(a.metadataTried) > metadataMaxAge {
		// Nothing new there: perhaps because the keys are elsewhere by now.
		outdated = a.discover(ctx, demanded)
		issuer = a.metadata.issuer
		if a.metadata.jwksURI != from {
			sending()
			doc, err = a.read(ctx, a.metadata.jwksURI, true)
		}
	}
	switch {
	case err != nil && outdated != nil:
		return nil, freshFor{}, fmt.Errorf("%w; and then: %w", outdated, err)
	case err != nil:
		return nil, freshFor{}, err
	}
	labelled := *doc
	labelled.issuer, labelled.outdated = issuer, a.outdated
	return &labelled, a.keysFresh, nil
}

// silent reports whether err means that nobody answers where the keys are.
func (a *authority) silent(err error) bool {
	if _, ok := errors.AsType[*noAnswer](err); !ok {
		return false
	}
	metadata, err := url.Parse(a.metadataURL)
	keys, err2 := url.Parse(a.metadata.jwksURI)
	return err == nil && err2 == nil && sameHost(metadata, keys)
}

// addresses implements source.
func (a *authority) addresses() (metadata, keys string) {
	return shown(a.metadataURL), shown(a.keysURL)
}

// close implements source.
func (a *authority) close() {
	if a.closeIdle != nil {
		a.closeIdle()
	}
}

// discover reads the metadata document anew.
func (a *authority) discover(ctx context.Context, m mode) error {
	a.metadataTried = time.Now()
	a.outdated = a.readMetadata(ctx, m)
	return a.outdated
}

// readMetadata asks for the metadata document. For a token it asks where the
// document was, and nowhere else: that is on the budget of the tokens.
func (a *authority) readMetadata(ctx context.Context, m mode) error {
	candidates := a.wellKnown
	switch {
	case a.metadataURL == "":
	case m == demanded:
		candidates = []string{a.metadataURL}
	default:
		candidates = append([]string{a.metadataURL}, candidates...)
	}
	tried := make(map[string]bool)
	var missing []string
	for _, address := range candidates {
		if tried[address] {
			continue
		}
		tried[address] = true
		get := fetch{what: "metadata", url: address, limit: maxMetadataBytes, sameHost: true, noCache: m != scheduled}
		if a.metadata != nil && address == a.metadataURL {
			get.known = &a.metadataKnown
		}
		got, err := a.do(ctx, get)
		if err != nil {
			return err
		}
		switch got.status {
		case http.StatusNotFound:
			missing = append(missing, shown(address))
			continue
		case http.StatusNotModified:
			return nil
		}
		parsed, err := a.parseMetadata(got.body)
		if err != nil {
			return fmt.Errorf("the metadata from %s: %w", shown(address), err)
		}
		a.metadata, a.metadataURL, a.metadataKnown = parsed, address, got.validators
		return nil
	}
	return fmt.Errorf("no metadata at %s (404)", strings.Join(missing, " and "))
}

// parseMetadata takes what is needed out of a metadata document and holds it
// against the configured issuer: without that, whoever can answer for one
// address could speak for every issuer (RFC 8414, Section 3.3: "MUST be
// identical"). One trailing slash is let pass, because some authorities differ
// by it from what they print themselves; tokens are then held against the
// document's own spelling.
func (a *authority) parseMetadata(body []byte) (*metadata, error) {
	members, err := object(body)
	if err != nil {
		return nil, err
	}
	issuer, ok := text(members, "issuer")
	if !ok || issuer == "" {
		return nil, errors.New(`it has no "issuer"`)
	}
	if strings.TrimSuffix(issuer, "/") != strings.TrimSuffix(a.issuer, "/") {
		return nil, fmt.Errorf("its issuer is %s, not %s as configured", quoted(issuer), quoted(a.issuer))
	}
	keys, ok := text(members, "jwks_uri")
	if !ok || keys == "" {
		return nil, errors.New(`it has no "jwks_uri"`)
	}
	u, err := url.Parse(keys)
	if err != nil {
		return nil, fmt.Errorf("its jwks_uri %s is no URL", quoted(keys))
	}
	if err := a.allowed(u); err != nil {
		return nil, fmt.Errorf("its jwks_uri: %w", err)
	}
	return &metadata{issuer, keys}, nil
}

// read reads the key set.
func (a *authority) read(ctx context.Context, address string, noCache bool) (*document, error) {
	get := fetch{what: "key set", url: address, limit: maxKeySetBytes, noCache: noCache}
	if a.keys != nil && address == a.keysURL {
		get.known = &a.keysKnown
	}
	got, err := a.do(ctx, get)
	if err != nil {
		return nil, err
	}
	lifetime, said := freshness(got.header, got.received)
	switch got.status {
	case http.StatusNotFound:
		return nil, fmt.Errorf("no key set at %s (404)", shown(address))
	case http.StatusNotModified:
		if said {
			a.keysFresh = freshFor{lifetime, true}
		}
		return a.keys, nil
	}
	doc, err := parseKeySet(got.body)
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", shown(address), err)
	}
	a.keys, a.keysURL, a.keysKnown = doc, address, got.validators
	a.keysFresh = freshFor{lifetime, said}
	return doc, nil
}

// bringsNew reports whether after has a key that before had not.
func bringsNew(before, after *document) bool {
	if before == nil {
		return true
	}
	had := make(map[identity]bool, len(before.keys))
	for _, key := range before.keys {
		had[key.identity] = true
	}
	for _, key := range after.keys {
		if !had[key.identity] {
			return true
		}
	}
	return false
}

// wellKnown returns where the metadata of an issuer is: OpenID Connect
// Discovery 1.0, Section 4 appends to its path, RFC 8414, Section 3.1 inserts
// before it.
func wellKnown(issuer *url.URL) []string {
	base := *issuer
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	at := func(path string) string {
		u := base
		unescaped, err := url.PathUnescape(path)
		if err != nil {
			unescaped = path
		}
		u.Path, u.RawPath = unescaped, path
		return u.String()
	}
	return []string{
		at(path + "/.well-known/openid-configuration"),
		at("/.well-known/oauth-authorization-server" + path),
	}
}
