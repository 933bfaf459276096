// Package redistest runs real redis-server processes for tests, on free ports of
// the loopback interface, and kills and restarts them.
package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Persistence says what a server keeps of its data when it is killed.
type Persistence int

const (
	// Nothing: every start is empty.
	Nothing Persistence = iota
	// AppendOnly keeps every write that was answered (appendfsync always).
	AppendOnly
	// Snapshot keeps what the last SAVE wrote.
	Snapshot
)

// Server is a redis-server process. Its methods are for one goroutine, but Addr
// is safe for concurrent use.
type Server struct {
	tb     testing.TB
	dir    string
	port   int
	args   []string
	cmd    *exec.Cmd
	output lockedBuffer
}

// Start starts the redis-server found in PATH, or fails the test. The server
// ends with the test.
func Start(tb testing.TB, persistence Persistence) *Server {
	tb.Helper()
	return start(tb, persistence)
}

// StartCluster is Start for a Redis Cluster of one node, which serves all slots and
// keeps nothing. It takes redis-server 7.
func StartCluster(tb testing.TB) *Server {
	tb.Helper()
	s := start(tb, Nothing, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(freePort(tb)))
	if err := s.Do("CLUSTER ADDSLOTSRANGE 0 16383"); err != nil {
		tb.Fatal(err)
	}
	s.wait("GET x") // is refused until the cluster is up
	return s
}

func start(tb testing.TB, persistence Persistence, more ...string) *Server {
	tb.Helper()
	s := &Server{tb: tb, dir: tb.TempDir(), port: freePort(tb)}
	s.args = []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir, "--daemonize", "no",
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--protected-mode", "yes",
	}
	if persistence == AppendOnly {
		s.args = append(s.args, "--appendonly", "yes", "--appendfsync", "always")
	}
	s.args = append(s.args, more...)
	tb.Cleanup(func() {
		s.Kill()
		if tb.Failed() {
			tb.Logf("redis-server said:\n%s", s.output.String())
		}
	})
	s.Restart()
	return s
}

// Addr is the address of the server, the same after a restart.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Kill ends the server as a crash does (SIGKILL). It does nothing if the server
// does not run.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Stall stops the server without ending it: it accepts connections, and answers
// nothing, until Continue.
func (s *Server) Stall() { s.signal(syscall.SIGSTOP) }

// Continue ends Stall.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.tb.Fatalf("redistest: %v", err)
	}
}

// Restart starts the server after Kill, and waits until it answers.
func (s *Server) Restart() {
	s.tb.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatalf("redistest: redis-server does not start (Debian's package redis-server has it): %v", err)
	}
	s.wait("PING")
}

// wait waits until the server answers command.
func (s *Server) wait(command string) {
	s.tb.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if err := s.Do(command); err == nil {
			return
		} else if time.Now().After(deadline) {
			s.tb.Fatalf("redistest: redis-server does not answer: %v\n%s", err, s.output.String())
		}
		time.Sleep(5 * time.Millisecond) // waits for a real process
	}
}

// Do runs one command whose answer does not matter, such as SAVE or FLUSHALL.
func (s *Server) Do(command string) error {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if answer[0] == '-' {
		return fmt.Errorf("redistest: %s: %s", command, answer)
	}
	return nil
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
