package main

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// load asks a server again and again over some connections, each with one
// request under way, for as long as d, and returns how many it answered. It
// waits for all connections in one loop, without the runtime's poller, for a
// client that costs more than the server would measure itself.
func load(addr, token string, connections int, d time.Duration) (n int, took time.Duration, err error) {
	raw := requestBytes(addr, token)
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return 0, 0, os.NewSyscallError("epoll_create1", err)
	}
	defer syscall.Close(poll)
	buffers := map[int32]*pending{}
	for range connections {
		fd, err := dial(addr)
		if err != nil {
			return 0, 0, err
		}
		defer syscall.Close(fd)
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
		if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			return 0, 0, os.NewSyscallError("epoll_ctl", err)
		}
		buffers[int32(fd)] = &pending{}
	}
	start := time.Now()
	for fd := range buffers {
		if err := send(int(fd), raw); err != nil {
			return 0, 0, err
		}
	}
	events := make([]syscall.EpollEvent, connections)
	for under := connections; under > 0; {
		ready, err := syscall.EpollWait(poll, events, 10_000)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return 0, 0, os.NewSyscallError("epoll_wait", err)
		}
		if ready == 0 {
			return 0, 0, errors.New("no answer within ten seconds")
		}
		stop := time.Since(start) >= d
		for _, event := range events[:ready] {
			done, err := buffers[event.Fd].read(int(event.Fd))
			if err != nil {
				return 0, 0, err
			}
			if !done {
				continue
			}
			n++
			if stop {
				under--
				continue
			}
			if err := send(int(event.Fd), raw); err != nil {
				return 0, 0, err
			}
		}
	}
	return n, time.Since(start), nil
}

// dial returns a connected socket that the runtime's poller does not know.
func dial(addr string) (int, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return 0, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}); err != nil {
		syscall.Close(fd)
		return 0, os.NewSyscallError("connect", err)
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		syscall.Close(fd)
		return 0, os.NewSyscallError("setsockopt", err)
	}
	return fd, nil
}

// send writes a request, which the empty send buffer of a socket holds whole.
func send(fd int, raw []byte) error {
	n, err := syscall.Write(fd, raw)
	if err == nil && n < len(raw) {
		err = syscall.EIO
	}
	return os.NewSyscallError("write", err)
}

// A pending holds what has come of an answer.
type pending struct {
	buf  [4096]byte
	have int
}

func (p *pending) read(fd int) (done bool, err error) {
	n, err := syscall.Read(fd, p.buf[p.have:])
	if err != nil {
		return false, os.NewSyscallError("read", err)
	}
	if n == 0 {
		return false, errors.New("the server closed the connection")
	}
	p.have += n
	total, err := answered(p.buf[:p.have])
	if err != nil || total == 0 {
		return false, err
	}
	p.have = 0
	return true, nil
}
