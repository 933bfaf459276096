module github.com/bearerguard/bearerguard/jwtbearer/internal/vectors

go 1.26.4

require (
	github.com/bearerguard/bearerguard v0.0.0
	github.com/c2sp/wycheproof v0.0.0-20260902155932-3fa63dd0344a
)

require (
	github.com/MicahParks/jwkset v0.11.3 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/time v0.15.0 // indirect
)

replace github.com/bearerguard/bearerguard => ../../..
