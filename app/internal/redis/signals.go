package redis

import (
	"context"
	"fmt"
	"time"

	"agentstack/app/agent"
)

const (
	signalsPrefix = "ai-agent:signals:v1:"
	// signalTTL is what agent.Signals promises.
	signalTTL = time.Minute
	// sendPause is the time between two attempts to send a signal.
	sendPause = 250 * time.Millisecond
)

// Signals is an agent.Signals: a key for each signal of a message.
type Signals struct{ client *Client }

// NewSignals returns signals.
func NewSignals(client *Client) *Signals { return &Signals{client} }

// Send implements agent.Signals.
func (s *Signals) Send(ctx context.Context, messageID string, signal agent.Signal) error {
	for {
		err := s.client.cluster.Set(ctx, signalKey(messageID, signal), 1, signalTTL).Err()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("send signal: %w", err)
		case <-time.After(sendPause):
		}
	}
}

// Sent implements agent.Signals.
func (s *Signals) Sent(ctx context.Context, messageID string, signal agent.Signal) (bool, error) {
	count, err := s.client.cluster.Exists(ctx, signalKey(messageID, signal)).Result()
	if err != nil {
		return false, fmt.Errorf("read signal: %w", err)
	}
	return count > 0, nil
}

func signalKey(messageID string, signal agent.Signal) string {
	return signalsPrefix + messageID + ":" + string(signal)
}
