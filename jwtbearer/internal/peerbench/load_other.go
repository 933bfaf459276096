//go:build !linux

package main

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// load asks a server again and again over some connections, each with one
// request under way, for as long as d, and returns how many it answered.
func load(addr, token string, connections int, d time.Duration) (int, time.Duration, error) {
	raw := requestBytes(addr, token)
	conns := make([]net.Conn, connections)
	for i := range conns {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, 0, err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(d + 30*time.Second))
		conns[i] = conn
	}
	var total atomic.Int64
	errs := make([]error, connections)
	var wg sync.WaitGroup
	start := time.Now()
	for i, conn := range conns {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for time.Since(start) < d {
				if _, errs[i] = conn.Write(raw); errs[i] != nil {
					return
				}
				for have, done := 0, 0; done == 0; {
					n, err := conn.Read(buf[have:])
					if err != nil {
						errs[i] = err
						return
					}
					have += n
					if done, errs[i] = answered(buf[:have]); errs[i] != nil {
						return
					}
				}
				total.Add(1)
			}
		})
	}
	wg.Wait()
	return int(total.Load()), time.Since(start), errors.Join(errs...)
}
