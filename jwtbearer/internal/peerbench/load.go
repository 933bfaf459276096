package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// requestBytes is the one request that the load consists of.
func requestBytes(addr, token string) []byte {
	return []byte("GET /orders HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: shop/1.0\r\nAccept: application/json\r\nAuthorization: Bearer " + token + "\r\n\r\n")
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("Content-Length: ")
	headerEnd     = []byte("\r\n\r\n")
)

// answered returns how many bytes of data the first answer takes, or 0 if it is
// not complete yet.
func answered(data []byte) (int, error) {
	end := bytes.Index(data, headerEnd)
	if end < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(data, statusOK) {
		line, _, _ := bytes.Cut(data, []byte("\r\n"))
		return 0, fmt.Errorf("answered %q", line)
	}
	at := bytes.Index(data[:end+2], contentLength)
	if at < 0 {
		return 0, fmt.Errorf("an answer without a length")
	}
	value, _, _ := bytes.Cut(data[at+len(contentLength):end+2], []byte("\r\n"))
	length, err := strconv.Atoi(string(value))
	if err != nil {
		return 0, err
	}
	if total := end + len(headerEnd) + length; total <= len(data) {
		return total, nil
	}
	return 0, nil
}
