package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// session is what an action works with.
type session struct {
	id     string
	tokens renew.Tokens
	visit  *visit
}

// action is a button: it runs do for who is signed in and tells the outcome, as
// JSON to the page's script, and with the page itself to a browser without one.
// When the session has ended (WC4), the answer leads to the sign-in.
func (a *App) action(do func(*http.Request, session) message) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		visit := visitFrom(r.Context())
		id, _, tokens, ok := a.signedIn(r)
		outcome := message{"Nobody is signed in.", "bad"}
		if ok && visit == nil {
			outcome = message{"This page is too old: the server has forgotten its timeline. Load it again.", "warn"}
		} else if ok {
			outcome = do(r, session{id, tokens, visit})
			_, err := a.store.Load(r.Context(), id)
			ok = err == nil
		}
		if visit != nil {
			visit.say(outcome)
		}
		if r.Context().Err() != nil {
			return // the wait was given up
		}
		answer := struct {
			message
			SignIn string `json:"sign_in,omitempty"`
		}{message: outcome}
		status, location := http.StatusOK, "/"
		if !ok {
			status, location = http.StatusUnauthorized, "/sign-in"
			answer.SignIn = location
		}
		if !strings.Contains(r.Header.Get("Accept"), "application/json") {
			http.Redirect(w, r, location, http.StatusSeeOther)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(answer)
	}
}

func (a *App) call(r *http.Request, s session) message {
	onlyOn401, _ := s.visit.settings()
	status, err := a.get(r.Context(), a.apiClient(s.id, onlyOn401))
	switch {
	case errors.Is(err, renew.ErrSessionEnded):
		return message{"The session has ended: " + reason(err) + ".", "bad"}
	case errors.Is(err, renew.ErrRefreshFailed):
		return message{"The token could not be renewed for now: " + reason(err) + ". You are still signed in.", "warn"}
	case err != nil:
		return message{"The API did not answer.", "bad"}
	case status == http.StatusOK:
		text := "The API answered 200."
		if now, err := a.store.Load(r.Context(), s.id); err == nil && now.AccessToken != s.tokens.AccessToken {
			text = "The API answered 200, with a token that was renewed on the way."
		}
		return message{text, "good"}
	default:
		return message{fmt.Sprintf("The API answered %d.", status), "warn"}
	}
}

func (a *App) callTen(r *http.Request, s session) message {
	onlyOn401, _ := s.visit.settings()
	client := a.apiClient(s.id, onlyOn401)
	var mu sync.Mutex
	counts := make(map[string]int)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			status, err := a.get(r.Context(), client)
			outcome := fmt.Sprint(status)
			switch {
			case errors.Is(err, renew.ErrSessionEnded):
				outcome = "session ended"
			case err != nil:
				outcome = "failed"
			}
			mu.Lock()
			defer mu.Unlock()
			counts[outcome]++
		})
	}
	wg.Wait()
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d × %s", counts[outcome], outcome))
	}
	m := message{"Ten calls at once: " + strings.Join(parts, ", ") + ".", "good"}
	if now, err := a.store.Load(r.Context(), s.id); err == nil && now.AccessToken != s.tokens.AccessToken {
		m.Text += " They shared one refresh."
	}
	if counts["200"] != 10 {
		m.Tone = "bad"
	}
	return m
}

// wait waits until the access token has expired, or until the API no longer
// takes it where only that leads to a renewal, and then calls the API.
func (a *App) wait(r *http.Request, s session) message {
	if s.tokens.ExpiresAt.IsZero() {
		return message{"The authority did not say when the token expires.", "warn"}
	}
	until := s.tokens.ExpiresAt
	if onlyOn401, _ := s.visit.settings(); onlyOn401 {
		until = until.Add(a.cfg.ClockSkew)
	}
	timer := time.NewTimer(time.Until(until) + time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
		return a.call(r, s)
	case <-a.closing:
		return message{"The server is shutting down.", "warn"}
	case <-r.Context().Done():
		return message{"The wait was given up.", "warn"}
	}
}

// replay does what a thief with a copy of an old refresh token would do: it
// goes past the renewer, and throws away what it gets.
func (a *App) replay(r *http.Request, s session) message {
	ctx := r.Context()
	if s.tokens.RefreshToken == "" {
		return message{"The session has no refresh token.", "warn"}
	}
	if _, ok := s.visit.oldest(); !ok {
		if _, err := a.renewer.Renew(ctx, s.id, s.tokens); err != nil {
			return message{"There is no old refresh token yet, and the renewal to get one failed: " + reason(err) + ".", "warn"}
		}
	}
	old, ok := s.visit.oldest()
	if !ok {
		return message{"The authority does not rotate refresh tokens: there is no old one.", "warn"}
	}
	name := s.visit.label('R', old).Name
	found, err := a.discover(ctx)
	if err != nil {
		return message{"The authority cannot be reached.", "bad"}
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old}}
	status, code, err := a.postForm(ctx, found, found.oauth.Endpoint.TokenURL, form)
	switch {
	case err != nil:
		return message{"The authority did not answer.", "bad"}
	case status == http.StatusOK:
		s.visit.add(entry{Lane: laneNote, Kind: "note", Title: "Replay accepted", Detail: "within the authority’s leeway " + name + " worked once more; this client throws the answer away"})
		return message{name + " was accepted once more: the authority allows for an answer that was lost, for a short while after a rotation. Replay it again later.", "warn"}
	case code == "invalid_grant":
		s.visit.add(entry{Lane: laneNote, Kind: "note", Title: "Replay noticed", Detail: "invalid_grant for " + name + "; an authority that takes this for theft has revoked the whole chain"})
		return message{name + " was refused with invalid_grant. An authority that takes this for theft revokes the whole chain: the next renewal will tell.", "bad"}
	default:
		return message{fmt.Sprintf("The authority answered %d.", status), "warn"}
	}
}

// revoke ends the session at the authority and leaves ours alone, as an
// administrator or another device would. The next renewal, or an API that asks
// about sessions, notices.
func (a *App) revoke(r *http.Request, s session) message {
	found, err := a.discover(r.Context())
	if err != nil {
		return message{"The authority cannot be reached.", "bad"}
	}
	status, err := a.revokeToken(r.Context(), found, s.tokens.RefreshToken)
	switch {
	case errors.Is(err, renew.ErrNoRefreshToken):
		return message{"The session has no refresh token that could be revoked.", "warn"}
	case err != nil:
		return message{"The session could not be revoked.", "bad"}
	case status != http.StatusOK:
		return message{fmt.Sprintf("The authority answered %d.", status), "bad"}
	}
	return message{"The session is revoked at the authority. This application does not know yet: call the API.", "warn"}
}

func (a *App) mode(r *http.Request, s session) message {
	onlyOn401 := r.PostFormValue("renew") == "on-401"
	s.visit.setMode(onlyOn401)
	if onlyOn401 {
		return message{"From now on, a token is renewed when the API refuses it.", "good"}
	}
	return message{"From now on, a token is renewed shortly before it expires.", "good"}
}

// get calls the API and reads its answer to the end, within bounds.
func (a *App) get(ctx context.Context, client *http.Client) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.cfg.API, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, nil
}

// postForm posts to the authority as the client, and returns the status of the
// answer and its error code.
func (a *App) postForm(ctx context.Context, found *discovered, address string, form url.Values) (status int, code string, err error) {
	basic := found.oauth.Endpoint.AuthStyle == oauth2.AuthStyleInHeader
	if !basic {
		form.Set("client_id", a.cfg.ClientID)
		if a.cfg.ClientSecret != "" {
			form.Set("client_secret", a.cfg.ClientSecret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		req.SetBasicAuth(url.QueryEscape(a.cfg.ClientID), url.QueryEscape(a.cfg.ClientSecret))
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	var refused struct {
		Error string `json:"error"`
	}
	if resp.StatusCode != http.StatusOK {
		json.NewDecoder(resp.Body).Decode(&refused) // no JSON, no code
	}
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, refused.Error, nil
}
