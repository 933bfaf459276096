package renew_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// A session whose access token the API no longer takes: the caller sees a 200,
// and the store has new tokens.
func Example() {
	authority := &authority{refresh: "refresh-0"}
	api := httptest.NewServer(&api{authority: authority})
	defer api.Close()

	store := &sessions{tokens: map[string]renew.Tokens{
		"session-of-alice": renew.NewTokens("expired", "refresh-0", "", time.Now(), time.Minute),
	}}
	renewer, err := renew.New(renew.Options{
		Issuer:            issuerURL,
		ClientID:          "shop",
		API:               api.URL,
		Store:             store,
		HTTPClient:        &http.Client{Transport: &handlerTransport{handler: authority}},
		InsecureAllowHTTP: true, // the API of this example is on loopback
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer renewer.Close()

	client := &http.Client{Transport: &renew.Transport{Renewer: renewer, Session: "session-of-alice"}}
	resp, err := client.Get(api.URL + "/orders")
	switch {
	case errors.Is(err, renew.ErrSessionEnded):
		fmt.Println("sign in again")
	case errors.Is(err, renew.ErrRefreshFailed):
		fmt.Println("try again later")
	case err != nil:
		fmt.Println(err)
	default:
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Printf("%d %s; the store holds %s and %s\n", resp.StatusCode, body,
			store.tokens["session-of-alice"].AccessToken, store.tokens["session-of-alice"].RefreshToken)
	}
	// Output: 200 fine; the store holds access-1 and refresh-1
}
