package llm

import (
	"context"
	"io"
	"iter"

	"github.com/tmaxmax/go-sse"

	"agentstack/app/agent"
)

// maxEvent bounds one event of a stream, in bytes.
const maxEvent = 8 << 20

// stream turns server-sent events into chunks.
type stream struct {
	ctx, callCtx context.Context // the caller's, and the call's own with the time limit
	cancel       context.CancelFunc
	body         io.Closer
	next         func() (sse.Event, error, bool)
	stop         func()
	hiddenUsage  bool
}

func newStream(ctx, callCtx context.Context, cancel context.CancelFunc, body io.ReadCloser, hiddenUsage bool) *stream {
	next, stop := iter.Pull2(sse.Read(body, &sse.ReadConfig{MaxEventSize: maxEvent}))
	return &stream{
		ctx: ctx, callCtx: callCtx, cancel: cancel, body: body, next: next, stop: stop, hiddenUsage: hiddenUsage,
	}
}

// Next implements agent.Stream.
func (s *stream) Next() (agent.Chunk, error) {
	event, err, more := s.next()
	switch {
	case err != nil:
		return agent.Chunk{}, classify(s.ctx, s.callCtx, err)
	case !more:
		return agent.Chunk{}, protocolError("the stream ended without [DONE]")
	case event.Data == "[DONE]":
		return agent.Chunk{}, io.EOF
	}
	delta, choices, err := parseChunk([]byte(event.Data))
	if err != nil {
		return agent.Chunk{}, err
	}
	internal := s.hiddenUsage && choices == 0 && delta.Usage != nil
	return agent.Chunk{Data: []byte(event.Data), Internal: internal, Delta: delta}, nil
}

// Close ends the call, also when the answer is not complete.
func (s *stream) Close() error {
	s.cancel()
	s.stop()
	return s.body.Close()
}
