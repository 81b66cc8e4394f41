package llm

import (
	"context"
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"

	"agentstack/app/agent"
)

const (
	eventStream = "text/event-stream"
	// maxEvent bounds one event of a stream, in bytes.
	maxEvent = 8 << 20
	// endTimeout is for a complete stream's last bytes. They are read so that the connection can be used
	// again.
	endTimeout = 100 * time.Millisecond
)

// events are the server-sent events of an answer.
type events struct {
	ctx      context.Context // the caller's
	cancel   context.CancelFunc
	body     io.ReadCloser
	pull     func() (sse.Event, error, bool)
	stop     func()
	complete bool
}

// newEvents takes over the response and the cancellation of its call.
func newEvents(ctx context.Context, cancel context.CancelFunc, response *http.Response) (*events, error) {
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != eventStream {
		cancel()
		return nil, errors.Join(protocolError("the answer is not an event stream"), response.Body.Close())
	}
	pull, stop := iter.Pull2(sse.Read(response.Body, &sse.ReadConfig{MaxEventSize: maxEvent}))
	return &events{ctx: ctx, cancel: cancel, body: response.Body, pull: pull, stop: stop}, nil
}

// next returns the data of the next event. A stream must say that it is complete, so an end is an error here.
func (e *events) next() ([]byte, error) {
	event, err, more := e.pull()
	switch {
	case err != nil:
		return nil, classify(e.ctx, err)
	case !more:
		return nil, protocolError("the stream ended before it was complete")
	}
	return []byte(event.Data), nil
}

// Close ends the call, also when the answer is not complete.
func (e *events) Close() error {
	e.stop()
	if e.complete {
		timer := time.AfterFunc(endTimeout, e.cancel)
		_, _ = io.CopyN(io.Discard, e.body, maxError) // an error costs a connection, not the answer
		timer.Stop()
	}
	e.cancel()
	return e.body.Close()
}

// openAIStream turns events into chunks.
type openAIStream struct {
	*events
	hiddenUsage bool
}

// Next implements agent.Stream.
func (s *openAIStream) Next() (agent.Chunk, error) {
	data, err := s.next()
	if err != nil {
		return agent.Chunk{}, err
	}
	if string(data) == "[DONE]" {
		s.complete = true
		return agent.Chunk{}, io.EOF
	}
	delta, choices, err := parseChunk(data)
	if err != nil {
		return agent.Chunk{}, err
	}
	internal := s.hiddenUsage && choices == 0 && delta.Usage != nil
	return agent.Chunk{Data: data, Internal: internal, Delta: delta}, nil
}
