package session_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestFailedLogoutsDoNotFillTheLog shows that who sends junk decides how many
// requests there are, and not how many warnings.
func TestFailedLogoutsDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		issuer := jwtbearertest.NewIssuer(t)
		store := session.NewMemory(nil)
		h, err := session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{
			Sessions: store,
			Logger:   slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			for range 100 {
				r := httptest.NewRequest("POST", "/", strings.NewReader("logout_token=junk"))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != 400 {
					t.Fatalf("got %d, want 400", w.Code)
				}
			}
			time.Sleep(time.Second)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 3 {
			t.Errorf("%d warnings for 300 requests in three seconds, want 3", n)
		}
	})
}
