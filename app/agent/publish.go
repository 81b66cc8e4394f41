package agent

import (
	"context"
	"time"
)

const (
	// batchDelay is how long events are collected for other replicas.
	batchDelay = 50 * time.Millisecond
	maxBatch   = 256 // events
	// appendTimeout bounds what a sick EventLog may cost, also at the end of an answer.
	appendTimeout = 2 * time.Second
	appendRetry   = time.Second
	// cancelInterval is how often the process looks whether a client of another replica cancels the answer.
	cancelInterval = 3 * time.Second
)

// publish copies a run's events to other replicas and takes their signals, until the run ends.
func (s *Sessions) publish(ctx context.Context, run *Run) {
	if s.Events == nil {
		return
	}
	looks := time.NewTicker(cancelInterval)
	defer looks.Stop()
	failing := false
	for sent := 0; ; {
		s.await(ctx, run, sent, looks.C)
		time.Sleep(batchDelay)
		events, _ := run.next(sent, maxBatch)
		if len(events) == 0 {
			continue
		}
		last, err := events[len(events)-1], s.appendEvents(ctx, run.MessageID, events)
		switch {
		case err == nil:
			if sent, failing = last.Seq, false; last.Type == EventEnd {
				return
			}
		case run.ended():
			s.Log.Warn("end of answer not published", "message_id", run.MessageID, "error", err)
			return // others read it from the store
		default:
			if !failing {
				s.Log.Warn("answer not published", "message_id", run.MessageID, "error", err)
			}
			failing = true
			time.Sleep(appendRetry)
		}
	}
}

// await returns when there is an event after a sequence number.
func (s *Sessions) await(ctx context.Context, run *Run, after int, looks <-chan time.Time) {
	for {
		select {
		case <-looks:
			s.takeCancel(ctx, run)
		default:
		}
		_, changed := run.next(after, 1)
		if changed == nil {
			return
		}
		select {
		case <-changed:
		case <-looks:
			s.takeCancel(ctx, run)
		}
	}
}

func (s *Sessions) takeCancel(ctx context.Context, run *Run) {
	if s.signalled(ctx, run.MessageID, SignalCancel) {
		run.cancel(errCancelled)
	}
}

func (s *Sessions) appendEvents(ctx context.Context, messageID string, events []Event) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	return s.Events.Append(ctx, messageID, events)
}
