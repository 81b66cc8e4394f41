package postgres

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"agentstack/app/internal/testenv"
)

// cutter is between clients and a server. When it is armed, it cuts the connection of the next transaction after the
// server has committed it and before the client knows.
type cutter struct {
	armed, cut atomic.Bool
	url        string
}

func newCutter(t *testing.T, server *testenv.Postgres) *cutter {
	t.Helper()
	const socket = ".s.PGSQL.5432"
	parsed, err := url.Parse(server.URL())
	check(t, err)
	query := parsed.Query()
	target := filepath.Join(query.Get("host"), socket)
	dir := t.TempDir()
	query.Set("host", dir)
	parsed.RawQuery = query.Encode()
	listener, err := net.Listen("unix", filepath.Join(dir, socket))
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	c := &cutter{url: parsed.String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.pass(client, target)
		}
	}()
	return c
}

// pass hands messages of a server on when it is ready for the next query.
func (c *cutter) pass(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("unix", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	reader := bufio.NewReader(server)
	var held []byte
	for done := false; ; {
		kind, message, err := readMessage(reader)
		if err != nil {
			return
		}
		held = append(held, message...)
		done = done || kind == 'C'
		if kind != 'Z' {
			continue
		}
		const idle = 'I' // outside of a transaction
		if done && message[5] == idle && c.armed.CompareAndSwap(true, false) {
			c.cut.Store(true)
			return
		}
		if _, err := client.Write(held); err != nil {
			return
		}
		held, done = nil, false
	}
}

// readMessage reads a message: its kind, four bytes of its length without the kind, and its content.
func readMessage(reader io.Reader) (kind byte, message []byte, err error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(reader, header); err != nil {
		return 0, nil, err
	}
	content := make([]byte, binary.BigEndian.Uint32(header[1:])-4)
	_, err = io.ReadFull(reader, content)
	return header[0], append(header, content...), err
}
