package session

import (
	"net"
	"net/http"
)

// remoteAddress is the address of the peer that r came from, without its port.
// Headers such as X-Forwarded-For are not read: whoever sends the request
// writes them, unless a proxy in front is known to replace them.
func remoteAddress(r *http.Request) string {
	if r == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
