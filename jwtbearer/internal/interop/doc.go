// Package interop has tests only: clients that nobody here wrote sign in at the
// fake issuer. They are golang.org/x/oauth2, github.com/coreos/go-oidc/v3 and,
// behind the build tag integration, the npm package openid-client.
package interop
