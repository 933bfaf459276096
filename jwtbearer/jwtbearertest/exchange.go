package jwtbearertest

import (
	"slices"
	"strings"
)

const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

// grantExchange is token exchange (RFC 8693): an access token of this issuer for
// another one, for another API or with fewer scopes, on behalf of the same user. An
// actor token makes it delegation (the act claim), none impersonation.
func (i *Issuer) grantExchange(q *tokenRequest) (map[string]any, error) {
	what, err := i.requested(q)
	if err != nil {
		return nil, err
	}
	if requested := q.form.Get("requested_token_type"); requested != "" && requested != typeAccessToken && requested != typeJWT {
		return nil, invalidRequest("The requested token type is not supported.")
	}
	subject, err := i.exchanged(q, "subject_token")
	if err != nil {
		return nil, err
	}
	if q.form.Has("actor_token") != q.form.Has("actor_token_type") {
		return nil, invalidRequest("An actor token and its type go together.")
	}
	what.claims = make(map[string]any)
	if act := subject.claims["act"]; act != nil {
		what.claims["act"] = act
	}
	if q.form.Has("actor_token") {
		actor, err := i.exchanged(q, "actor_token")
		if err != nil {
			return nil, err
		}
		act := map[string]any{"sub": actor.claims["sub"]}
		if earlier := subject.claims["act"]; earlier != nil {
			// The newest actor is outermost (RFC 8693, Section 4.1).
			act["act"] = earlier
		}
		what.claims["act"] = act
	}

	granted := slices.DeleteFunc(strings.Fields(stringOf(subject.claims["scope"])), func(scope string) bool { return !q.client.mayAsk(scope) })
	if what.scopes == nil {
		what.scopes = granted
	}
	what.scopes = withoutOffline(what.scopes)
	for _, scope := range what.scopes {
		if !has(granted, scope) {
			return nil, &Error{Code: "invalid_scope", Description: "The subject token does not have a scope that was asked for."}
		}
	}
	what.subject = stringOf(subject.claims["sub"])
	what.user = i.HasUser(what.subject)
	what.chain = subject.chain
	i.mu.Lock()
	what.session = i.sessions[subject.sid]
	i.mu.Unlock()

	tokens := i.issue(q.client, what)
	tokens.IDToken = ""
	answer := tokens.response()
	answer["issued_token_type"] = typeAccessToken
	return answer, nil
}

// exchanged reads a token that is exchanged; what is wrong with it is
// invalid_request (RFC 8693, Section 2.2.2).
func (i *Issuer) exchanged(q *tokenRequest, name string) (*inspection, error) {
	switch q.form.Get(name + "_type") {
	case typeAccessToken, typeJWT:
	default:
		return nil, invalidRequest("The parameter " + name + "_type is missing, or names a type that is not supported.")
	}
	info, ok := i.inspect(q.form.Get(name))
	if !ok {
		return nil, invalidRequest("The parameter " + name + " is no active access token of this issuer.")
	}
	return info, nil
}

func stringOf(value any) string {
	s, _ := value.(string)
	return s
}
