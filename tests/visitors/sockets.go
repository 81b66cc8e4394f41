package visitors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

// questionsPerSession bounds the history that a model gets.
const questionsPerSession = 20

// socket is a visitor who asks over a WebSocket, and opens another one when it ends.
type socket struct {
	*Visitors
	caller caller
	number int

	asked     int
	session   string // empty: the next question begins one
	question  string
	asking    *answer // nil: none
	askedLast time.Time
}

// serverFrame is what the API sends.
type serverFrame struct {
	Type, ID  string
	MessageID string `json:"message_id"`
	Event     event
	Error     problem
}

func (s *socket) run() {
	of := &s.result.Sockets
	var ended error // how the connection before this one ended
	for ended != nil || !s.stopped() {
		conn, err := s.connect()
		if err == nil {
			if ended != nil {
				s.continued(of, "socket", ended)
			}
			if ended = s.converse(conn); ended == nil || continuable(ended) {
				_ = conn.conn.Close()
				continue
			}
			err = ended
			_ = conn.conn.Close()
		}
		s.fail(of, "socket", err)
		ended, s.asking, s.session = nil, nil, ""
		s.pause(afterFailure)
	}
}

// connect opens a WebSocket. A pod that shuts down may refuse it while it still gets requests; it says when to come
// again.
func (s *socket) connect() (*websocket, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.times.resume)
	defer cancel()
	for {
		conn, err := dial(ctx, s.edge, s.caller.bearer)
		var refused *refusal
		if !errors.As(err, &refused) || refused.status != http.StatusServiceUnavailable || ctx.Err() != nil {
			return conn, err
		}
		var reason problem
		again, notNumber := strconv.Atoi(refused.header.Get("Retry-After"))
		if json.Unmarshal([]byte(refused.body), &reason) != nil || notNumber != nil ||
			!errors.Is(reason.err(), errRestart) {
			return nil, err
		}
		s.count(&s.result.Refused)
		time.Sleep(time.Duration(again) * time.Second)
	}
}

// converse asks until the visitors stop, when it returns nil, or the connection ends, or something is wrong.
func (s *socket) converse(conn *websocket) error {
	frames, ended, over := make(chan serverFrame), make(chan error, 1), make(chan struct{})
	defer close(over)
	go func() { ended <- s.receive(conn, frames, over) }()
	if s.asking != nil {
		if err := s.goOn(conn); err != nil {
			return err
		}
	}
	ticker := time.NewTicker(s.times.ask)
	defer ticker.Stop()
	for {
		var err error
		select {
		case err = <-ended:
			return err
		case got := <-frames:
			err = s.handle(got)
		case <-ticker.C:
			switch {
			case s.asking == nil && s.stopped():
				return conn.sayGoodbye()
			case s.asking == nil:
				err = s.ask(conn)
			case time.Since(s.askedLast) > s.times.answer:
				err = fmt.Errorf("no answer to %q in %s", s.question, s.times.answer)
			}
		}
		if err != nil {
			return err
		}
	}
}

// receive passes frames on until the connection ends. The error is how.
func (s *socket) receive(conn *websocket, frames chan<- serverFrame, over <-chan struct{}) error {
	for {
		data, err := conn.read(s.times.silence)
		var end *closed
		switch {
		case errors.As(err, &end):
			return err
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errSilent
		case err != nil:
			return &cut{err}
		}
		var frame serverFrame
		if err := json.Unmarshal(data, &frame); err != nil {
			return fmt.Errorf("decode frame %q: %w", data, err)
		}
		select {
		case frames <- frame:
		case <-over:
			return nil
		}
	}
}

// goOn takes up the question that the connection before this one left without a whole answer.
func (s *socket) goOn(conn *websocket) error {
	if s.asking.message == "" {
		// Nobody can know whether it arrived, and a session has one question at a time.
		s.session = ""
		return s.put(conn)
	}
	s.asking.resumed = true
	s.send(conn, map[string]any{"type": "resume", "message_id": s.asking.message, "after": s.asking.seq})
	return nil
}

func (s *socket) ask(conn *websocket) error {
	if s.asked%questionsPerSession == 0 {
		s.session = ""
	}
	s.asked++
	s.question, s.askedLast = longQuestion(s.number, s.asked, socketWords), time.Now()
	s.asking = &answer{want: answerTo(s.question)}
	return s.put(conn)
}

func (s *socket) put(conn *websocket) error {
	if s.session == "" {
		var err error
		if s.session, err = s.Visitors.session(s.client(s.number), s.caller, s.caller.socketAgent); err != nil {
			return err
		}
	}
	s.send(conn, map[string]any{
		"type": "ask", "id": strconv.Itoa(s.asked), "session_id": s.session, "content": s.question,
	})
	return nil
}

// send leaves it to who reads to say how the connection ended.
func (s *socket) send(conn *websocket, frame map[string]any) {
	data, _ := json.Marshal(frame) // text and numbers
	_ = conn.write(opText, data)
}

func (s *socket) handle(frame serverFrame) error {
	switch {
	case frame.Type == "error":
		// A socket that shuts down takes no more questions, and is closed at once.
		if err := frame.Error.err(); !errors.Is(err, errRestart) {
			return err
		}
		return nil
	case s.asking == nil:
		return fmt.Errorf("a frame that answers nothing: %+v", frame)
	case frame.Type == "message" && frame.ID == strconv.Itoa(s.asked):
		s.asking.message = frame.MessageID
		return nil
	case frame.Type == "event" && frame.MessageID == s.asking.message:
		ended, err := s.asking.take(frame.Event)
		if ended {
			s.asking = nil
			s.count(&s.result.Sockets.Finished)
		}
		return err
	default:
		return fmt.Errorf("a frame that nobody asked for: %+v", frame)
	}
}
