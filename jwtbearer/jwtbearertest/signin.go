package jwtbearertest

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// signedIn returns the session of who is in front of the browser. If it returns
// nil it has answered: with the sign-in page, or with an error for the client.
func (i *Issuer) signedIn(w http.ResponseWriter, r *http.Request, a *authorization) *session {
	present := i.browserSession(r)
	if present != nil && i.mayStay(present, a) {
		return present
	}
	name, refused := cmp.Or(a.subject, a.form.Get("login_hint")), ""
	posted := i.opts.SignInPage && r.Method == http.MethodPost && r.PostForm.Has("username")
	switch {
	case has(a.prompt, "none"):
		i.refuseClient(w, r, a, &Error{Code: "login_required", Description: "The user is not signed in."})
		return nil
	case posted && r.PostForm.Get("action") == "cancel":
		i.refuseClient(w, r, a, &Error{Code: "access_denied", Description: "The user did not sign in."})
		return nil
	case posted:
		name = r.PostForm.Get("username")
		if user := i.user(name); user == nil || !user.signsInWith(r.PostForm.Get("password")) {
			refused = "The name or the password is wrong."
		}
	case !i.opts.SignInPage:
		if name == "" {
			name = i.defaultSubject()
		}
		if !i.HasUser(name) {
			i.refuseClient(w, r, a, &Error{Code: "access_denied", Description: "The user is unknown."})
			return nil
		}
	}
	if i.opts.SignInPage && !posted || refused != "" {
		i.showSignIn(w, r, a, name, refused)
		return nil
	}
	if a.subject != "" && name != a.subject {
		i.refuseClient(w, r, a, &Error{Code: "login_required", Description: "Another user has signed in."})
		return nil
	}
	s, err := i.newSession(name, deviceOf(r, a.form.Get("device")))
	if err != nil {
		// The user was deleted a moment ago.
		i.refuseClient(w, r, a, &Error{Code: "access_denied", Description: "The user is unknown."})
		return nil
	}
	http.SetCookie(w, i.cookie(s.browser, 0))
	return s
}

// mayStay tells whether a session that the browser has is good enough for the
// request.
func (i *Issuer) mayStay(s *session, a *authorization) bool {
	if has(a.prompt, "login") || has(a.prompt, "select_account") || a.subject != "" && a.subject != s.subject {
		return false
	}
	if hint := a.form.Get("login_hint"); hint != "" && hint != s.subject && a.subject == "" {
		return false
	}
	if age, err := strconv.Atoi(a.form.Get("max_age")); err == nil && i.now().Sub(s.signedInAt) > time.Duration(age)*time.Second {
		return false
	}
	return true
}

const pageHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fake issuer</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 10vh auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }
label { display: block; margin: 1rem 0 .25rem; }
input { font: inherit; width: 100%; padding: .5rem; box-sizing: border-box; border: 1px solid #595959; border-radius: .25rem; }
button { font: inherit; margin: 1.5rem .5rem 0 0; padding: .5rem 1.25rem; border-radius: .25rem; border: 1px solid #0b5394; background: #fff; color: #0b5394; }
button.first { background: #0b5394; color: #fff; }
.error { color: #a40000; }
.note { color: #595959; font-size: .875rem; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #1a1a1a; } .error { color: #ff9c9c; } .note { color: #b0b0b0; } input { background: #2a2a2a; color: inherit; } }
</style>
</head>
<body>
<main>`

const pageFoot = `</main>
</body>
</html>
`

var signInPage = template.Must(template.New("").Parse(pageHead + `
<h1>Sign in</h1>
<p>to <strong>{{.Client}}</strong>{{if .Scopes}}, which asks for {{.Scopes}}{{end}}</p>
{{if .Refused}}<p class="error" role="alert">{{.Refused}}</p>{{end}}
<form method="post" action="{{.Action}}">
<label for="username">Name</label>
<input id="username" name="username" value="{{.Name}}" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password">
<button class="first" name="action" value="sign-in">Sign in</button>
<button name="action" value="cancel" formnovalidate>Cancel</button>
</form>
<p class="note">This is a fake issuer for tests{{if .Users}}. It knows {{.Users}}{{end}}.</p>
` + pageFoot))

func (i *Issuer) showSignIn(w http.ResponseWriter, r *http.Request, a *authorization, name, refused string) {
	var names []string
	for _, user := range i.opts.Users {
		if i.HasUser(user.Subject) {
			names = append(names, user.Subject)
		}
	}
	if name == "" && len(names) > 0 {
		name = names[0]
	}
	target, _ := url.Parse(a.redirectTo)
	// Chromium applies form-action to the redirect that follows the form as well.
	source := target.Scheme + ":"
	if target.Host != "" {
		source += "//" + target.Host
	}
	i.showPage(w, http.StatusOK, source, signInPage, map[string]string{
		"Client":  a.client.ID,
		"Scopes":  strings.Join(a.scopes, " "),
		"Action":  i.path + "/authorize?" + a.form.Encode(),
		"Name":    name,
		"Users":   strings.Join(names, " and "),
		"Refused": refused,
	})
}

var errorPage = template.Must(template.New("").Parse(pageHead + `
<h1>This request cannot be answered</h1>
<p class="error">{{.}}</p>
` + pageFoot))

// showError tells a person what the client must not be told.
func (i *Issuer) showError(w http.ResponseWriter, text string) {
	i.showPage(w, http.StatusBadRequest, "", errorPage, text)
}

// showPage answers with a page that runs no scripts and fits into no frame.
func (i *Issuer) showPage(w http.ResponseWriter, status int, formTarget string, page *template.Template, data any) {
	noStore(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+formTarget))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	page.Execute(w, data)
}
