package jwks

import "context"

// A source is where the keys of a set come from: an authority or a file. Only
// the goroutine of its set calls it.
type source interface {
	// load reads the keys. It calls sending immediately before it asks for the
	// keys themselves: who came before that moment may take the answer for theirs,
	// who comes after it may not. sending reports whether somebody came who needs
	// an answer that no cache gives.
	load(ctx context.Context, m mode, sending func() bool) (*document, freshFor, error)
	// addresses returns where metadata and keys were read, "" where nowhere.
	addresses() (metadata, keys string)
	// close lets go of idle connections.
	close()
}

// A mode is why a source is read.
type mode int

const (
	scheduled mode = iota // it is time
	demanded              // a token names a key that is not there
	complete              // Refresh: everything anew
)
