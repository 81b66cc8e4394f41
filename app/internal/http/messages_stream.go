package http

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"agentstack/app/agent"
)

// keepAlive is how long a stream may be silent: proxies cut idle connections after a minute or less.
const keepAlive = 15 * time.Second

// askedBody is the first event of an answer that is streamed.
type askedBody struct {
	QuestionID string `json:"question_id"`
	MessageID  string `json:"message_id"`
}

func (s *Server) askStream(ctx context.Context, in *askInput) (*huma.StreamResponse, error) {
	end, err := s.beginStream()
	if err != nil {
		return nil, err
	}
	run, err := s.begin(ctx, principal(ctx), in.ID, in.Body.Content)
	if err != nil {
		end()
		return nil, err
	}
	return sendEvents(end, func(r *http.Request, out *liveEvents) {
		// Without an id: it is no event of the answer, so nobody can resume after it.
		if out.send("", frameMessage, askedBody{run.QuestionID, run.MessageID}) == nil {
			out.sendAll(r, run.Events(r.Context(), 0))
		}
	}), nil
}

// sendEvents answers with what send writes, and calls end after it.
func sendEvents(end func(), send func(*http.Request, *liveEvents)) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(call huma.Context) {
		defer end()
		r, w := humago.Unwrap(call)
		out := newLiveEvents(w, keepAlive)
		defer out.end()
		send(r, out)
	}}
}

// liveEvents writes server-sent events, and a comment whenever there was none for a while.
type liveEvents struct {
	mu     sync.Mutex
	events *eventWriter
	every  time.Duration
	timer  *time.Timer
	ended  bool
}

func newLiveEvents(w http.ResponseWriter, every time.Duration) *liveEvents {
	l := &liveEvents{events: newEventWriter(w), every: every}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(every, l.comment)
	return l
}

// sendAll ends with the events, or with an error as an event. A client that is gone ends the request's context.
func (l *liveEvents) sendAll(r *http.Request, events iter.Seq2[agent.Event, error]) {
	for event, err := range events {
		if err != nil {
			l.mu.Lock()
			l.events.fail(r, frameError, err)
			l.mu.Unlock()
			return
		}
		if l.send(strconv.Itoa(event.Seq), string(event.Type), event) != nil {
			return
		}
	}
}

func (l *liveEvents) send(id, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Reset(l.every)
	return l.events.event(id, name, data)
}

func (l *liveEvents) comment() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.events.begin()
	// An error ends the request's context, and with it the events.
	if _, err := l.events.w.Write([]byte(":\n\n")); err == nil && l.events.control.Flush() == nil {
		l.timer.Reset(l.every)
	}
}

// end must be called before the handler returns: then the response can no longer be written.
func (l *liveEvents) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.timer.Stop()
}
