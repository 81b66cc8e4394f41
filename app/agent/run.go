package agent

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"
)

const (
	// maxAnswer bounds an answer, in bytes.
	maxAnswer = 8 << 20
	// unreadTimeout is how long an answer goes on that nobody reads.
	unreadTimeout = time.Minute
)

var errAnswerTooLarge = errors.New("answer is larger than 8 MiB")

// Run is an answer that this process generates. It keeps all of the answer's events, so that readers take
// them at their own pace and a slow one holds up nobody.
type Run struct {
	QuestionID, MessageID string

	tenant, sessionID, agentID string
	cancel                     context.CancelCauseFunc
	done                       chan struct{} // closed when nothing is left to do
	citations                  []Citation    // as offered to the model

	mu      sync.Mutex
	text    strings.Builder
	ends    []int         // where each delta ends in text: an Event each would take far more memory
	final   *Message      // the answer, when it has ended
	changed chan struct{} // closed at the next event; nil when nobody waits for it
	readers int
	unread  *time.Timer // runs while there are no readers
}

// Wait returns the answer when it has ended and is stored. Who waits is a reader.
func (r *Run) Wait(ctx context.Context) (*Message, error) {
	for _, err := range r.Events(ctx, 0) {
		if err != nil {
			return nil, err
		}
	}
	answer := *r.final
	return &answer, nil
}

// Events yields the events after a sequence number as they come, up to the end. The error is the cause of the
// context's end.
func (r *Run) Events(ctx context.Context, after int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r.join()
		defer r.leave()
		for {
			events, changed := r.next(after, 1)
			switch {
			case len(events) > 0:
				if !yield(events[0], nil) {
					return
				}
				after = events[0].Seq
				continue
			case changed == nil:
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(Event{}, context.Cause(ctx))
				return
			}
		}
	}
}

// next returns at most limit events after a sequence number. When there are none yet, it returns what to wait
// for; after the last it returns neither.
func (r *Run) next(after, limit int) ([]Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var events []Event
	for seq := max(0, after) + 1; len(events) < limit; seq++ {
		event, ok := r.event(seq)
		if !ok {
			break
		}
		events = append(events, event)
	}
	if len(events) > 0 || r.final != nil {
		return events, nil
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return nil, r.changed
}

func (r *Run) event(seq int) (Event, bool) {
	i := seq - 1
	if len(r.citations) > 0 {
		if i == 0 {
			return Event{Seq: seq, Type: EventCitations, Citations: r.citations}, true
		}
		i--
	}
	switch {
	case i < len(r.ends):
		start := 0
		if i > 0 {
			start = r.ends[i-1]
		}
		return Event{Seq: seq, Type: EventDelta, Text: r.text.String()[start:r.ends[i]]}, true
	case i == len(r.ends) && r.final != nil:
		return endEvent(seq, r.final), true
	default:
		return Event{}, false
	}
}

func endEvent(seq int, answer *Message) Event {
	return Event{Seq: seq, Type: EventEnd, Status: answer.Status, Usage: answer.Usage, Error: answer.Error}
}

// append adds a delta.
func (r *Run) append(text string) error {
	if text = storable(text); text == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.text.Len()+len(text) > maxAnswer {
		return errAnswerTooLarge
	}
	r.text.WriteString(text)
	r.ends = append(r.ends, r.text.Len())
	r.wake()
	return nil
}

// storable makes of what a model says what the database can keep as text.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

func (r *Run) end(answer *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.final = answer
	r.wake()
}

func (r *Run) ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.final != nil
}

func (r *Run) wake() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *Run) join() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers++
	r.unread.Stop()
}

func (r *Run) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.readers--; r.readers == 0 && r.final == nil {
		r.unread.Reset(unreadTimeout)
	}
}

// giveUp ends the answer if it has no reader, here or elsewhere.
func (r *Run) giveUp(readElsewhere func() bool) {
	elsewhere := readElsewhere()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.readers > 0 || r.final != nil:
	case elsewhere:
		r.unread.Reset(unreadTimeout)
	default:
		r.cancel(errUnread)
	}
}
