package jwks

import (
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

const modulePath = "github.com/bearerguard/bearerguard"

// defaultClient has a transport of its own, with the proxies of the environment
// as http.DefaultTransport has them, so that closing a set touches nobody
// else's connections.
func defaultClient() (client http.Client, closeIdle func()) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: fetchTimeout}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = standard.Clone()
	}
	transport.MaxIdleConnsPerHost = 1
	transport.IdleConnTimeout = 30 * time.Second // shorter than the time to the next refresh
	transport.ResponseHeaderTimeout = fetchTimeout
	transport.MaxResponseHeaderBytes = 64 << 10
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
