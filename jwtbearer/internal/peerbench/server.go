package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A served is what a whole HTTP server reached.
type served struct {
	rates []float64 // requests a second
	share []float64 // of the unprotected server's just before and after
	cpu   []float64 // microseconds of the server's process for one request
	spent []float64 // of which that many are the unprotected server's, as a share
}

// child is the server's process: one protected (or unprotected) handler on one
// core. It ends when its standard input does, so it cannot outlive its parent.
func child(ctx context.Context, name, issuer, jwksURL string) error {
	runtime.GOMAXPROCS(1)
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "ok\n")
	})
	mux := http.NewServeMux()
	if name == unprotected {
		mux.Handle("GET /orders", answer)
	} else {
		var g *guard
		for _, c := range contenders() {
			if c.name == name {
				var err error
				if g, err = c.open(ctx, issuer, jwksURL); err != nil {
					return err
				}
				defer g.close()
			}
		}
		if g == nil {
			return fmt.Errorf("no contender is called %q", name)
		}
		mux.Handle("GET /orders", g.wrap(answer))
	}
	mux.HandleFunc("GET /cpu", func(w http.ResponseWriter, _ *http.Request) {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, usage.Utime.Nano()+usage.Stime.Nano())
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		server.Close()
	}()
	fmt.Println(listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

const unprotected = "unprotected"

// A process is a child as its parent sees it.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
}

func startChild(ctx context.Context, name string, p *provider) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve", name, "-issuer", p.issuer, "-jwks", p.jwksURL())
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	child := &process{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		child.stop()
		return nil, fmt.Errorf("the server of %s did not start: %w", name, err)
	}
	child.addr = strings.TrimSpace(line)
	return child, nil
}

func (p *process) stop() {
	p.stdin.Close()
	p.cmd.Wait()
}

// cpu is the time that the child has used so far.
func (p *process) cpu(ctx context.Context) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/cpu", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	if err != nil {
		return 0, err
	}
	nanos, err := strconv.ParseInt(string(text), 10, 64)
	return time.Duration(nanos), err
}

// wholeServer measures HTTP servers over loopback, a process each, interleaved.
func (b *bench) wholeServer(ctx context.Context) error {
	children := map[string]*process{}
	defer func() {
		for _, c := range children {
			c.stop()
		}
	}()
	names := []string{unprotected}
	for _, r := range b.active() {
		names = append(names, r.name)
	}
	for _, name := range names {
		c, err := startChild(ctx, name, b.idp)
		if err != nil {
			return err
		}
		children[name] = c
	}
	// One core for the load, one for the server.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, alg := range compared {
		b.say("whole server over loopback, %s", alg)
		tokens, err := b.tokens(alg, 1)
		if err != nil {
			return err
		}
		measure := func(name string, d time.Duration) (rate, cpu float64, err error) {
			c := children[name]
			before, err := c.cpu(ctx)
			if err != nil {
				return 0, 0, err
			}
			n, took, err := load(c.addr, tokens[0], b.plan.connections, d)
			if err != nil {
				return 0, 0, fmt.Errorf("%s, %s: %w", name, alg, err)
			}
			after, err := c.cpu(ctx)
			if err != nil {
				return 0, 0, err
			}
			return float64(n) / took.Seconds(), float64((after - before).Microseconds()) / float64(n), nil
		}
		bare := &served{}
		b.bareAt[alg] = bare
		for _, name := range names {
			if _, _, err := measure(name, b.plan.httpSlice/4); err != nil { // warm
				return err
			}
		}
		for round := range b.plan.httpRounds {
			// As with the floor: each between two slices of the unprotected server.
			unguarded := func() (rate, cpu float64, err error) {
				rate, cpu, err = measure(unprotected, b.plan.httpSlice)
				bare.rates = append(bare.rates, rate)
				bare.cpu = append(bare.cpu, cpu)
				return rate, cpu, err
			}
			before, cpuBefore, err := unguarded()
			if err != nil {
				return err
			}
			rows := b.active()
			for i := range rows {
				r := rows[(i+round)%len(rows)]
				rate, cpu, err := measure(r.name, b.plan.httpSlice)
				if err != nil {
					return err
				}
				after, cpuAfter, err := unguarded()
				if err != nil {
					return err
				}
				if r.server[alg] == nil {
					r.server[alg] = &served{}
				}
				s := r.server[alg]
				s.rates = append(s.rates, rate)
				s.cpu = append(s.cpu, cpu)
				s.share = append(s.share, rate/((before+after)/2))
				s.spent = append(s.spent, (cpuBefore+cpuAfter)/2/cpu)
				before, cpuBefore = after, cpuAfter
			}
		}
	}
	return nil
}
