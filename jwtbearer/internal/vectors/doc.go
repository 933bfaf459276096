// Package vectors holds no code, only tests: published test vectors and the
// examples of the RFCs, against the library.
//
//	go test -C jwtbearer/internal/vectors ./...
//
// It is a module of its own, so that the vectors are no dependency of the
// library. Every vector that is answered differently from what its author
// expects stands in the table of differences with the reason; a test fails if
// one is missing there, and if one that stands there does not differ any more.
package vectors
