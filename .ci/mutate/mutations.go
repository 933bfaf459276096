package main

import "slices"

// mutations are the checks of the library. Each edit takes one away and leaves
// code that compiles.
var mutations = slices.Concat(shape, request, token, keys, session)

// A mutation is one check and the edit that removes it.
type mutation struct {
	file string
	edit
}

// An edit replaces old, which stands in its file exactly once.
type edit struct {
	check    string // what is no longer checked
	old, new string
}

// in returns the mutations of one file.
func in(file string, edits ...edit) []mutation {
	list := make([]mutation, len(edits))
	for i, e := range edits {
		list[i] = mutation{file, e}
	}
	return list
}
