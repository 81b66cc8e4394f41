package redis

import (
	"context"
	"strconv"
	"testing"
	"time"

	"agentstack/app/agent"
	"agentstack/app/internal/testenv"
)

// TestSignalsOutliveLeaders sends signals to every leader while one is being replaced.
func TestSignalsOutliveLeaders(t *testing.T) {
	cluster := testenv.NewRedisCluster(t)
	signals := NewSignals(newClient(t, cluster, Options{}))
	cluster.StopNode(1)
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	const messages = 6
	sent := make(chan error, messages)
	for i := range messages {
		go func() { sent <- signals.Send(ctx, strconv.Itoa(i), agent.SignalCancel) }()
	}
	time.Sleep(2 * time.Second)
	if len(sent) == messages {
		t.Fatal("no signal belongs to the leader that is away: the test says nothing")
	}
	cluster.StartNode(t, 1)
	for range messages {
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	for i := range messages {
		if found, err := signals.Sent(ctx, strconv.Itoa(i), agent.SignalCancel); !found || err != nil {
			t.Errorf("signal %d: %t, %v", i, found, err)
		}
	}
}
