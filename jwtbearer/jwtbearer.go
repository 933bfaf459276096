// Package jwtbearer protects HTTP handlers with OAuth 2.0 bearer tokens: it is
// the part of an API that refuses every request whose access token is not
// provably valid for this API, right now.
//
//	verifier, err := jwtbearer.New("https://id.example.com", nil)
//	if err != nil {
//		log.Fatal(err) // a mistake in the configuration, never the network
//	}
//	defer verifier.Close()
//
//	mux.Handle("GET /orders", verifier.Require("api1")(orders))
//	mux.Handle("POST /orders", verifier.Require("api1", jwtbearer.Scope("orders.write"))(create))
//
// The handler behind it asks [TokenFrom] who is calling.
//
// # What is checked
//
// The token is a JWT in compact serialization (RFC 7519, RFC 7515), signed with
// an asymmetric algorithm by a key of the authority, which is found by the
// authority's metadata (OpenID Connect Discovery 1.0, RFC 8414) and kept fresh
// in the background. Its iss is the authority, its aud contains the audience
// given to [Verifier.Require], its exp is there and has not passed. Each of
// these is always checked and cannot be turned off. The answers are those of RFC
// 6750; an outage of the authority is a 503 and never a 401.
//
// What a caller can learn from an answer is the reason for which the token that
// it sent was refused, as a constant text. Claims are judged before the
// signature, since they are cheaper to judge, unless there is so much of them
// (more than 2 KiB encoded) that they are not; so "the token has expired" need not say
// anything about whether the signature would have held. Anybody can make tokens
// that nobody signed, and find out with them which issuers, tenants, audiences,
// algorithms and key ids this API accepts and what its clock says, all of which
// its real tokens and the authority's documents tell too. Nothing can be learned
// about tokens that the caller does not have.
//
// # ID tokens and other JWTs
//
// An ID token is for the client that asked for it and not for an API: its
// audience is the client. Name your API's audience differently from every
// client id, and the audience check refuses ID tokens; if your authority issues
// access tokens of type at+jwt (RFC 9068), set [Options].RequireRFC9068, which
// refuses every other JWT. A token with at_hash, c_hash or events is refused in
// any case, unless it says of itself that it is an access token.
package jwtbearer
