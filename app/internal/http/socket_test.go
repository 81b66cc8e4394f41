package http

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"agentstack/app/account"
	"agentstack/app/agent"
)

func TestSocketWithoutPong(t *testing.T) {
	r := startResources(t, nil)
	r.sockets.times.ping, r.sockets.times.pong = time.Millisecond, 20*time.Millisecond
	silent := r.dial(t, r.key) // does not read, so it does not answer pings
	poll(t, "the socket is given up", func() bool { return r.sockets.ending() == 1 })
	silent.wantClose(t, websocket.StatusPolicyViolation)
	poll(t, "the socket is gone", func() bool { return r.sockets.count() == 0 })
}

// ending is the number of sockets that the server is closing.
func (s *sockets) ending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.open {
		if c.ending.Load() {
			n++
		}
	}
	return n
}

func TestSocketOfAReaderStays(t *testing.T) {
	r := startResources(t, nil)
	r.sockets.times.ping, r.sockets.times.pong = time.Millisecond, time.Second
	pings := 0
	conn, _, err := websocket.Dial(t.Context(), "ws://"+r.addr+"/ws", &websocket.DialOptions{
		HTTPHeader:     http.Header{"Authorization": {"Bearer " + r.key}},
		OnPingReceived: func(context.Context, []byte) bool { pings++; return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != -1 || pings < 3 {
		t.Errorf("after %d pings: %v", pings, err)
	}
}

// dialSlow makes a socket with little room for what is not read.
func (r *resources) dialSlow(t *testing.T) testSocket {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(512 << 10) // much less makes TCP crawl
		}
		return conn, err
	}}
	conn, _, err := websocket.Dial(t.Context(), "ws://"+r.addr+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport},
		HTTPHeader: http.Header{"Authorization": {"Bearer " + r.key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1)
	return testSocket{conn}
}

func TestSlowReaderIsGivenUp(t *testing.T) {
	r := startResources(t, nil)
	r.sockets.times.write = time.Second
	slow, fast := r.dialSlow(t), r.dial(t, r.key)
	slow.ask(t, "a", r.newSession(t, ""), "big")
	message := slow.next(t).MessageID
	// The others are as fast as ever, also in the answer that the slow one reads.
	fast.ask(t, "b", r.newSession(t, ""), "hi")
	if text, _ := fast.answer(t, fast.next(t).MessageID); text != "Hello world" {
		t.Errorf("got %q", text)
	}
	fast.send(t, `{"type":"resume","message_id":"`+message+`"}`)
	if text, end := fast.answer(t, message); len(text) != 8<<20 || end.Status != agent.MessageCompleted {
		t.Errorf("got %d bytes, %+v", len(text), end)
	}
	poll(t, "the slow socket is given up", func() bool { return r.sockets.count() == 1 })
	poll(t, "its stream ends", func() bool { return r.streams.Load() == 0 })
}

func TestSlowReaderHoldsBackItself(t *testing.T) {
	r := startResources(t, nil)
	slow := r.dialSlow(t)
	slow.ask(t, "a", r.newSession(t, ""), "big")
	message := slow.next(t).MessageID
	var server *socket
	r.sockets.mu.Lock()
	for c := range r.sockets.open {
		server = c
	}
	r.sockets.mu.Unlock()
	poll(t, "the queue is full", func() bool { return len(server.queue) == socketQueue && server.writing.Load() })
	text, end := slow.answer(t, message) // nothing is lost
	if len(text) != 8<<20 || end.Status != agent.MessageCompleted {
		t.Errorf("got %d bytes, %+v", len(text), end)
	}
}

func TestSocketDrain(t *testing.T) {
	r := startResources(t, nil)
	idle, busy := r.dial(t, r.key), r.dial(t, r.key)
	session := r.newSession(t, "")
	busy.ask(t, "a", r.newSession(t, ""), "wait")
	message := busy.next(t).MessageID
	busy.next(t)
	r.Drain()
	idle.wantClose(t, websocket.StatusServiceRestart)
	busy.ask(t, "b", session, "hi")
	busy.wantError(t, "b", "shutting_down")
	a := r.do(t, http.MethodGet, "/ws", "", "Authorization", "Bearer "+r.key)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("a new socket: %d %s", a.status, a.body)
	}
	r.model.release()
	if text, end := busy.answer(t, message); text != " world" || end.Status != agent.MessageCompleted {
		t.Errorf("got %q, %+v", text, end)
	}
	busy.wantClose(t, websocket.StatusServiceRestart)
	poll(t, "the sockets are gone", func() bool { return r.sockets.count() == 0 })
}

func TestDrainSendsWhatWaits(t *testing.T) {
	r := startResources(t, nil)
	c := r.dial(t, r.key)
	c.ask(t, "a", r.newSession(t, ""), "count 2000")
	message := c.next(t).MessageID
	r.Drain()
	if text, end := c.answer(t, message); !strings.HasSuffix(text, "1999 ") || end.Status != agent.MessageCompleted {
		t.Errorf("got %d bytes, %+v", len(text), end)
	}
	c.wantClose(t, websocket.StatusServiceRestart)
}

func TestShutdownClosesBusySockets(t *testing.T) {
	r := startResources(t, nil)
	busy := r.dial(t, r.key)
	busy.ask(t, "a", r.newSession(t, ""), "wait")
	busy.next(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- r.Shutdown(ctx) }()
	busy.wantClose(t, websocket.StatusServiceRestart)
	if err := <-closed; err == nil {
		t.Error("Shutdown does not tell that the time was over")
	}
}

func TestSocketStreamsAreCounted(t *testing.T) {
	r := startResources(t, func(o *Options) { o.MaxStreams = 1 })
	first, second := r.dial(t, r.key), r.dial(t, r.key) // open sockets are no streams
	first.ask(t, "a", r.newSession(t, ""), "wait")
	message := first.next(t).MessageID
	session := r.newSession(t, "")
	second.ask(t, "b", session, "hi")
	second.wantError(t, "b", "too_many_streams")
	r.model.release()
	first.answer(t, message)
	poll(t, "the stream ends", func() bool { return r.streams.Load() == 0 })
	second.ask(t, "c", session, "hi")
	if frame := second.next(t); frame.ID != "c" || frame.Type != "message" {
		t.Errorf("got %+v", frame)
	}
}

func TestSocketAccessEnds(t *testing.T) {
	r := startResources(t, nil)
	session := r.newSession(t, "")
	t.Run("expired token", func(t *testing.T) {
		login, user := newTestID(), newTestID()
		r.accounts.users.put(user, user, account.User{ID: user, TenantID: user, Role: account.RoleMember})
		r.accounts.logins.put(user, login, account.Login{
			ID: login, TenantID: user, UserID: user, ExpiresAt: time.Now().Add(time.Hour),
		})
		expires := time.Now().Add(time.Second)
		claims := account.Claims{TenantID: user, UserID: user, LoginID: login, ExpiresAt: expires}
		token, err := plainSigner{}.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		c := r.dial(t, token)
		c.ask(t, "a", session, "hi")
		c.wantError(t, "a", "not_found") // the session is another tenant's
		poll(t, "the token expires", func() bool { return time.Now().After(expires) })
		c.ask(t, "b", session, "hi")
		c.wantClose(t, statusAccessEnded)
	})
	t.Run("revoked key", func(t *testing.T) {
		c := r.dial(t, r.key)
		keys := decode[listBody[keyBody]](t, r.call(t, 200, "GET", "/v1/api-keys", "").body)
		r.call(t, 204, "DELETE", "/v1/api-keys/"+keys.Data[0].ID, "")
		c.send(t, `{"type":"resume","message_id":"`+newTestID()+`"}`)
		c.wantClose(t, statusAccessEnded)
	})
}
