package jwks

import (
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

const modulePath = "github.com/bearerguard/bearerguard"

// defaultClient has a transport of its own, so that closing a set touches nobody
// else's connections, and what a program does to http.DefaultTransport (such as
// to switch off the verification of certificates for some other host) does not
// decide whose keys are believed.
func defaultClient() (client http.Client, closeIdle func()) {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    fetchTimeout,
		ResponseHeaderTimeout:  fetchTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        30 * time.Second, // shorter than the time to the next refresh
	}
	return http.Client{Transport: transport}, transport.CloseIdleConnections
}

// userAgent names the library, so that an authority can tell who asks.
var userAgent = sync.OnceValue(func() string {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range append(info.Deps, &info.Main) {
			if module.Path == modulePath && module.Version != "" && module.Version != "(devel)" {
				version = module.Version
			}
		}
	}
	return "bearerguard/" + version + " (+" + modulePath + ")"
})
