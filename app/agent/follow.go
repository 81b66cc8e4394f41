package agent

import (
	"context"
	"iter"
	"time"

	"agentstack/app/problem"
)

const (
	// readWait is how long a reader of the EventLog waits before it looks at the stored message.
	readWait = 5 * time.Second
	// readPause is the least time between two looks.
	readPause = time.Second
	// quietTimeout is how long a stale answer must be quiet to be given up.
	quietTimeout = 30 * time.Second
	// readingInterval is how often a reader tells the generating process that it is there.
	readingInterval = 20 * time.Second
)

// Follow yields the events of an answer after a sequence number, as they come, up to the end. It reads them
// from this process, else from the EventLog, else from the stored message. That one has a single delta; when
// the reader cannot just go on with it, its events begin with sequence number 1 again, and the client forgets
// what it had. The stored message has the citations that the answer uses, an answer in progress those offered
// to the model. An error that is yielded is the last.
func (s *Sessions) Follow(
	ctx context.Context, tenant, messageID string, after int,
) (iter.Seq2[Event, error], error) {
	if run := s.run(messageID); run != nil {
		if run.tenant != tenant {
			return nil, problem.Missing("message")
		}
		return run.Events(ctx, after), nil
	}
	message, err := s.answer(ctx, tenant, messageID)
	if err != nil {
		return nil, err
	}
	return func(yield func(Event, error) bool) {
		reader := &remoteReader{
			Sessions: s, tenant: tenant, message: message, after: max(0, after), whole: after <= 0, yield: yield,
		}
		reader.read(ctx)
	}, nil
}

// remoteReader reads an answer that another process generates or generated.
type remoteReader struct {
	*Sessions
	tenant  string
	message *Message
	after   int
	whole   bool // the client has the answer from its beginning
	bytes   int  // of text that the client has, if whole
	yield   func(Event, error) bool

	quietSince, told time.Time
}

func (r *remoteReader) read(ctx context.Context) {
	r.quietSince = time.Now()
	for {
		more, err := r.readEvents(ctx)
		if err != nil {
			r.yield(Event{}, err)
			return
		}
		if !more {
			return
		}
	}
}

// readEvents makes one step and tells whether there are more.
func (r *remoteReader) readEvents(ctx context.Context) (more bool, err error) {
	started := time.Now()
	events := r.fromLog(ctx)
	for _, event := range events {
		r.after, r.quietSince = event.Seq, time.Now()
		r.bytes += len(event.Text)
		if !r.yield(event, nil) || event.Type == EventEnd {
			return false, nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case len(events) > 0:
		return true, nil
	case r.message.Status != MessageInProgress:
		r.replay()
		return false, nil
	case time.Since(r.quietSince) >= quietTimeout && time.Since(r.message.CreatedAt) > staleAnswer:
		r.yield(Event{
			Seq: r.after + 1, Type: EventEnd, Status: MessageInterrupted,
			Error: "the server that generated the answer is gone",
		}, nil)
		return false, nil
	}
	if err := sleep(ctx, readPause-time.Since(started)); err != nil {
		return false, err
	}
	r.message, err = r.answer(ctx, r.tenant, r.message.ID)
	return true, err
}

// fromLog returns what comes next. A log with a gap is as good as none.
func (r *remoteReader) fromLog(ctx context.Context) []Event {
	if r.Events == nil {
		return nil
	}
	wait := readWait
	if r.message.Status != MessageInProgress {
		wait = 0
	} else {
		r.tellReading(ctx)
	}
	events, err := r.Events.Read(ctx, r.message.ID, r.after, wait)
	if err != nil && ctx.Err() == nil {
		r.Log.WarnContext(ctx, "answer not read from the event log", "message_id", r.message.ID, "error", err)
	}
	for i, event := range events {
		if event.Seq != r.after+1+i {
			return events[:i]
		}
	}
	return events
}

func (r *remoteReader) tellReading(ctx context.Context) {
	if r.Signals == nil || time.Since(r.told) < readingInterval {
		return
	}
	r.told = time.Now()
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	if err := r.Signals.Send(ctx, r.message.ID, SignalReading); err != nil {
		r.Log.WarnContext(ctx, "reading not signalled", "message_id", r.message.ID, "error", err)
	}
}

// replay yields the stored message, or the rest of it.
func (r *remoteReader) replay() {
	if !r.whole {
		r.after, r.bytes = 0, 0
	}
	var events []Event
	if r.after == 0 && len(r.message.Citations) > 0 {
		events = append(events, Event{Type: EventCitations, Citations: r.message.Citations})
	}
	if rest := r.message.Content[min(r.bytes, len(r.message.Content)):]; rest != "" {
		events = append(events, Event{Type: EventDelta, Text: rest})
	}
	for _, event := range append(events, endEvent(0, r.message)) {
		r.after++
		event.Seq = r.after
		if !r.yield(event, nil) {
			return
		}
	}
}

func sleep(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
