package jwtbearertest_test

import (
	"io"
	"testing"
)

// t stands for the *testing.T that an Example does not have, so that the examples
// read as the tests that people write. What is registered for clean-up stays.
var t testing.TB = exampleTB{}

type exampleTB struct{ testing.TB }

func (exampleTB) Helper()           {}
func (exampleTB) Cleanup(func())    {}
func (exampleTB) Output() io.Writer { return io.Discard }
func (exampleTB) Fatal(args ...any) { panic(args) }
