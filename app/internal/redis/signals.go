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
)

// Signals is an agent.Signals: a key for each signal of a message.
type Signals struct{ client *Client }

// NewSignals returns signals.
func NewSignals(client *Client) *Signals { return &Signals{client} }

// Send implements agent.Signals.
func (s *Signals) Send(ctx context.Context, messageID string, signal agent.Signal) error {
	if err := s.client.cluster.Set(ctx, signalKey(messageID, signal), 1, signalTTL).Err(); err != nil {
		return fmt.Errorf("send signal: %w", err)
	}
	return nil
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
