package http

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// eventWriter writes server-sent events, each flushed. Each has writeTimeout, then the client is given up.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buffer  bytes.Buffer
	begun   bool
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	return &eventWriter{w: w, control: http.NewResponseController(w)}
}

// data writes an event without a name, as OpenAI's API does.
func (e *eventWriter) data(data []byte) error { return e.event("", "", data) }

// event writes an event. An id or a name that is empty is left out; neither may contain line breaks. Lines of
// data may end in any way that the protocol knows.
func (e *eventWriter) event(id, name string, data []byte) error {
	e.begin()
	e.buffer.Reset()
	e.field("id", id)
	e.field("event", name)
	for line := range bytes.Lines(data) {
		for part := range bytes.SplitSeq(bytes.TrimRight(line, "\r\n"), []byte{'\r'}) {
			e.buffer.WriteString("data: ")
			e.buffer.Write(part)
			e.buffer.WriteByte('\n')
		}
	}
	e.buffer.WriteByte('\n')
	if _, err := e.w.Write(e.buffer.Bytes()); err != nil {
		return err
	}
	return e.control.Flush()
}

func (e *eventWriter) field(name, value string) {
	if value != "" {
		e.buffer.WriteString(name)
		e.buffer.WriteString(": ")
		e.buffer.WriteString(value)
		e.buffer.WriteByte('\n')
	}
}

func (e *eventWriter) begin() {
	if e.begun {
		return
	}
	e.begun = true
	header := e.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Accel-Buffering", "no") // proxies must not hold events back
}

// fail ends a stream that has begun with the problem as an event, whose "error" OpenAI's clients raise. Logs
// and metrics get its status. Nothing is sent to a client that is gone.
func (e *eventWriter) fail(r *http.Request, name string, err error) {
	ctx := r.Context()
	c := callOf(ctx)
	if clientGone(ctx) || c.lost {
		return
	}
	answer := problemIn(ctx, err)
	note(ctx, answer)
	c.outcome = answer.Status
	body, err := json.Marshal(answer)
	if err != nil {
		return
	}
	_ = e.event("", name, body) // the client may be gone by now; the stream is broken either way
}
