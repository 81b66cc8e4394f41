package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	// maxFrame bounds a frame of a client, in bytes.
	maxFrame = 1 << 20
	// maxSocketAnswers bounds the answers that one socket follows at a time.
	maxSocketAnswers = 8
	// socketQueue is how many frames may wait for a slow client. Who adds more waits: events are pulled, so only
	// this socket gets slower.
	socketQueue = 16

	// statusAccessEnded is sent when the token behind a socket is no longer valid.
	statusAccessEnded websocket.StatusCode = 4401
)

// closure is how the server ends a socket.
type closure struct {
	code   websocket.StatusCode
	reason string
}

// socket is one WebSocket. One goroutine reads, one writes, one pings, and each answer has one.
type socket struct {
	server    *Server
	conn      *websocket.Conn
	requestID string // of the handshake
	bearer    string // checked again at every frame
	ctx       context.Context
	cancel    context.CancelFunc

	queue   chan []byte
	closing chan closure // holds the first closure that was asked for
	ending  atomic.Bool  // a closure was asked for
	writing atomic.Bool  // a frame is being written
	running sync.WaitGroup

	mu       sync.Mutex
	answers  int
	draining bool
}

// runSocket returns when the socket is closed and nothing of it runs.
func (s *Server) runSocket(conn *websocket.Conn, r *http.Request, bearer string) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := &socket{
		server: s, conn: conn, requestID: requestID(ctx), bearer: bearer, ctx: ctx, cancel: cancel,
		queue: make(chan []byte, socketQueue), closing: make(chan closure, 1),
	}
	if !s.sockets.add(c) {
		_ = conn.Close(websocket.StatusServiceRestart, "shutting down") // the client may be gone
		return
	}
	defer s.sockets.remove(c)
	stop := context.AfterFunc(r.Context(), func() {
		_ = conn.Close(websocket.StatusServiceRestart, "shutting down")
	})
	defer stop()
	conn.SetReadLimit(maxFrame)
	c.running.Go(c.write)
	c.running.Go(c.ping)
	c.read()
	cancel()
	_ = conn.CloseNow() // closed before, as a rule
	c.running.Wait()
}

// read handles frames until the connection ends or the client breaks the protocol.
func (c *socket) read() {
	for {
		// The context must not end before the connection: the library would close it without a close frame.
		kind, data, err := c.conn.Read(context.Background())
		switch {
		case errors.Is(err, websocket.ErrMessageTooBig):
			_ = c.conn.Close(websocket.StatusMessageTooBig, "") // waits for the client to see the close frame
			return
		case err != nil:
			return
		case kind != websocket.MessageText:
			c.close(websocket.StatusUnsupportedData, "frames must be text")
		case !c.ending.Load():
			c.handle(data)
		}
	}
}

// handle acts on one frame of the client.
func (c *socket) handle(data []byte) {
	defer c.guard()
	frame, err := parseFrame(data)
	switch {
	case errors.Is(err, errNotJSON):
		c.close(websocket.StatusInvalidFramePayloadData, err.Error())
	case err != nil:
		c.fail(frame, err)
	case frame.Type == frameAsk:
		c.start(frame, c.ask)
	case frame.Type == frameResume:
		c.start(frame, c.resume)
	default:
		c.report(frame, c.stop(frame))
	}
}

// write is the only sender of frames.
func (c *socket) write() {
	defer c.cancel()
	for {
		select {
		case frame := <-c.queue:
			if !c.send(frame) {
				_ = c.conn.CloseNow() // a client that takes no more bytes cannot be told why
				return
			}
		case end := <-c.closing:
			for len(c.queue) > 0 && c.send(<-c.queue) {
			}
			_ = c.conn.Close(end.code, end.reason) // the client may be gone
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// send tells whether the connection still is of use.
func (c *socket) send(frame []byte) bool {
	ctx, cancel := context.WithTimeout(context.Background(), c.server.sockets.times.write)
	defer cancel()
	c.writing.Store(true)
	defer c.writing.Store(false)
	return c.conn.Write(ctx, websocket.MessageText, frame) == nil
}

// ping notices clients that are gone without a word.
func (c *socket) ping() {
	times := c.server.sockets.times
	ticker := time.NewTicker(times.ping)
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
		}
		if c.writing.Load() {
			continue // a ping would wait behind the frame, which has its own time limit
		}
		ctx, cancel := context.WithTimeout(c.ctx, times.pong)
		err := c.conn.Ping(ctx)
		cancel()
		if err != nil && !c.writing.Load() {
			c.close(websocket.StatusPolicyViolation, "no pong in time")
		}
	}
}

// post waits for room in the queue, and gives up when the socket ends.
func (c *socket) post(frame serverFrame) error {
	data, err := json.Marshal(frame)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	select {
	case c.queue <- data:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// close ends the socket after the frames that wait are sent.
func (c *socket) close(code websocket.StatusCode, reason string) {
	c.ending.Store(true)
	select {
	case c.closing <- closure{code, reason}:
	default: // it is being closed
	}
}

// guard keeps a panic from ending the process.
func (c *socket) guard() {
	if value := recover(); value != nil {
		c.server.Log.Error("panic",
			"request_id", c.requestID, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
		c.close(websocket.StatusInternalError, "internal error")
	}
}
