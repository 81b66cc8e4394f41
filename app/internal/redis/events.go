package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"agentstack/app/agent"
)

const (
	eventsPrefix = "ai-agent:events:v1:"
	eventField   = "event"
	// eventsTTL keeps a log while its answer grows, and a while longer for readers that come back.
	eventsTTL = 10 * time.Minute
	// maxEvents bounds one log; the longest answers of models have about as many tokens.
	maxEvents = 65_536
	// readCount bounds one reply.
	readCount = 1_000
	// blockingReads bounds how many connections wait in Redis for new events; further readers ask again and again.
	blockingReads = 64
	// maxBlock bounds one wait, since neither the end of a context nor the loss of a node ends it.
	maxBlock = time.Second
	// pollInterval is how often a reader without a connection of its own asks.
	pollInterval = 200 * time.Millisecond
	// eventsTimeout bounds what a command takes beyond its wait.
	eventsTimeout = time.Second
)

// Events is an agent.EventLog: a Redis stream per message, whose entry ids are the events' sequence numbers.
type Events struct {
	client   *Client
	blocking chan struct{}
}

// NewEvents returns a log of events.
func NewEvents(client *Client) *Events {
	return &Events{client: client, blocking: make(chan struct{}, blockingReads)}
}

// Append implements agent.EventLog. Events that are there already, since an append was sent again, stay as they are.
func (e *Events) Append(ctx context.Context, messageID string, events []agent.Event) error {
	if len(events) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, eventsTimeout)
	defer cancel()
	if err := e.client.Ready(ctx); err != nil {
		return err
	}
	key := eventsPrefix + messageID
	pipeline := e.client.cluster.Pipeline()
	for i := range events {
		data, err := json.Marshal(&events[i])
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		pipeline.XAdd(ctx, &redis.XAddArgs{
			Stream: key,
			MaxLen: maxEvents,
			Approx: true,
			ID:     entryID(events[i].Seq),
			Values: []any{eventField, data},
		})
	}
	pipeline.Expire(ctx, key, eventsTTL)
	commands, err := pipeline.Exec(ctx)
	if err == nil {
		return nil
	}
	for _, command := range commands {
		if err := command.Err(); err != nil && !strings.Contains(err.Error(), "equal or smaller") {
			return fmt.Errorf("append events: %w", err)
		}
	}
	return nil
}

// Read implements agent.EventLog. It fails at once while no node answers, and within 2 s when Redis goes away. It
// ends before the first gap, which a failed append leaves.
func (e *Events) Read(ctx context.Context, messageID string, after int, wait time.Duration) ([]agent.Event, error) {
	key, deadline := eventsPrefix+messageID, time.Now().Add(wait)
	for {
		if err := e.ready(ctx); err != nil {
			return nil, err
		}
		left := time.Until(deadline)
		entries, waited, err := e.read(ctx, key, after, min(left, maxBlock))
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if len(entries) > 0 {
			return decode(entries, after)
		}
		if left <= 0 {
			return nil, nil
		}
		if err := pause(ctx, waited, left); err != nil {
			return nil, err
		}
	}
}

// pause waits between two questions, unless Redis did.
func pause(ctx context.Context, waited bool, left time.Duration) error {
	if waited {
		return context.Cause(ctx)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(min(left, pollInterval)):
		return nil
	}
}

// ready bounds the wait for a probe that has just begun.
func (e *Events) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, eventsTimeout)
	defer cancel()
	return e.client.Ready(ctx)
}

// read returns the entries after a sequence number. It waits for the first, if there is a connection for that, and
// tells whether it did.
func (e *Events) read(ctx context.Context, key string, after int, wait time.Duration) (
	entries []redis.XMessage, waited bool, err error) {
	args := &redis.XReadArgs{Streams: []string{key, entryID(after)}, Count: readCount, Block: -1}
	if wait >= time.Millisecond { // 0 would be for ever
		select {
		case e.blocking <- struct{}{}:
			defer func() { <-e.blocking }()
			args.Block, waited = wait, true
		default:
		}
	}
	ctx, cancel := context.WithTimeout(ctx, max(wait, 0)+eventsTimeout)
	defer cancel()
	streams, err := e.client.cluster.XRead(ctx, args).Result()
	if errors.Is(err, redis.Nil) || err == nil && len(streams) == 0 {
		return nil, waited, nil
	}
	if err != nil {
		return nil, waited, err
	}
	return streams[0].Messages, waited, nil
}

func decode(entries []redis.XMessage, after int) ([]agent.Event, error) {
	events := make([]agent.Event, 0, len(entries))
	for i := range entries {
		data, _ := entries[i].Values[eventField].(string)
		var event agent.Event
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return nil, fmt.Errorf("decode event: %w", err)
		}
		if event.Seq != after+1+i {
			break
		}
		events = append(events, event)
	}
	return events, nil
}

func entryID(seq int) string { return strconv.Itoa(seq) + "-0" }
