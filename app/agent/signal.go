package agent

import (
	"context"
	"errors"
	"time"

	"agentstack/app/problem"
)

// Signal is what a client does with an answer that another replica generates.
type Signal string

// The signals.
const (
	SignalReading Signal = "reading"
	SignalCancel  Signal = "cancel"
)

// Signals carry signals to the replica that generates an answer. Losing them is never an error of an answer.
type Signals interface {
	// Send leaves a signal for a message. It holds for one minute. It tries until ctx ends.
	Send(ctx context.Context, messageID string, signal Signal) error
	// Sent tells whether a signal was left within the last minute.
	Sent(ctx context.Context, messageID string, signal Signal) (bool, error)
}

const (
	// signalTimeout bounds what sick signals may cost.
	signalTimeout = time.Second
	// cancelTimeout bounds the sending of what a client waits for. A lost leader of Redis is replaced within about 6 s.
	cancelTimeout = 10 * time.Second
)

var (
	errCancelled = errors.New("client cancelled the answer")
	errUnread    = errors.New("nobody has read the answer for 60 seconds")
)

// Cancel ends an answer; what came of it is stored as interrupted. It does nothing to one that has ended.
func (s *Sessions) Cancel(ctx context.Context, tenant, messageID string) error {
	if run := s.run(messageID); run != nil && run.tenant == tenant {
		run.cancel(errCancelled)
		return nil
	}
	message, err := s.answer(ctx, tenant, messageID)
	if err != nil || message.Status != MessageInProgress {
		return err
	}
	if s.Signals == nil {
		return problem.New(problem.Conflict, "answer_elsewhere", "Another server generates the answer.")
	}
	ctx, cancel := context.WithTimeout(ctx, cancelTimeout)
	defer cancel()
	if err := s.Signals.Send(ctx, messageID, SignalCancel); err != nil {
		return &problem.Error{
			Kind: problem.Unavailable, Code: "cancel_unavailable", Message: "The answer cannot be cancelled now.",
			RetryAfter: time.Second, Err: err,
		}
	}
	return nil
}

// answer returns a stored answer.
func (s *Sessions) answer(ctx context.Context, tenant, messageID string) (*Message, error) {
	message, err := s.Store.Message(ctx, tenant, messageID)
	if err != nil {
		return nil, err
	}
	if message.Role != RoleAssistant {
		return nil, problem.Missing("answer")
	}
	return message, nil
}

func (s *Sessions) signalled(ctx context.Context, messageID string, signal Signal) bool {
	if s.Signals == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	sent, err := s.Signals.Sent(ctx, messageID, signal)
	if err != nil {
		s.Log.Warn("signal not read", "message_id", messageID, "signal", signal, "error", err)
	}
	return sent
}
