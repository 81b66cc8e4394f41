package redis

import (
	"context"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"agentstack/app/agent"
	"agentstack/app/internal/testenv"
)

// readBound is what a read may take that has lost its reader or Redis: 2 s, and as much again for a busy machine.
const readBound = 4 * time.Second

// deltas returns events from one sequence number to another, both included.
func deltas(from, to int) []agent.Event {
	var events []agent.Event
	for seq := from; seq <= to; seq++ {
		events = append(events, agent.Event{Seq: seq, Type: agent.EventDelta, Text: "token " + strconv.Itoa(seq)})
	}
	return events
}

// follow reads a log to its end, as a reader in another replica does.
func follow(ctx context.Context, events *Events, id string, after int) ([]agent.Event, error) {
	var all []agent.Event
	for {
		some, err := events.Read(ctx, id, after, 10*time.Second)
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
		if all[len(all)-1].Type == agent.EventEnd {
			return all, nil
		}
		after = all[len(all)-1].Seq
	}
}

func TestEvents(t *testing.T) {
	cluster := testenv.NewRedisCluster(t)
	writer, reader := NewEvents(newClient(t, cluster, Options{})), NewEvents(newClient(t, cluster, Options{}))
	t.Run("read while written", func(t *testing.T) { readWhileWritten(t, writer, reader) })
	t.Run("many readers", func(t *testing.T) { manyReaders(t, writer, reader) })
	t.Run("appended again", func(t *testing.T) { appendedAgain(t, writer, reader) })
	t.Run("ends before a gap", func(t *testing.T) { endsBeforeGap(t, writer, reader) })
	t.Run("expires", func(t *testing.T) { expires(t, writer, reader) })
	t.Run("waits", func(t *testing.T) { waits(t, reader) })
}

func readWhileWritten(t *testing.T, writer, reader *Events) {
	ctx := t.Context()
	want := []agent.Event{{Seq: 1, Type: agent.EventCitations,
		Citations: []agent.Citation{{Number: 1, DocumentID: "d", ChunkID: "c", Title: "ä \" \x00", Score: 0.5}}}}
	want = append(want, deltas(2, 400)...)
	want = append(want, agent.Event{Seq: 401, Type: agent.EventEnd, Status: agent.MessageCompleted,
		Usage: &agent.Usage{PromptTokens: 3}})
	var group sync.WaitGroup
	for _, after := range []int{0, 1, 200, 400} {
		group.Go(func() {
			got, err := follow(ctx, reader, "m1", after)
			if err != nil || !reflect.DeepEqual(got, want[after:]) {
				t.Errorf("after %d: %d events, %v; want %d", after, len(got), err, len(want)-after)
			}
		})
	}
	for from := 0; from < len(want); from += 50 {
		eventually(t, "every reader waits", func() bool { return len(reader.blocking) == 4 })
		if err := writer.Append(ctx, "m1", want[from:min(from+50, len(want))]); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
}

// More readers than connections that may wait: nobody starves, and neither does the limiter.
func manyReaders(t *testing.T, writer, reader *Events) {
	ctx := t.Context()
	const readers = blockingReads * 3
	var group sync.WaitGroup
	for i := range readers {
		group.Go(func() {
			id := "many" + strconv.Itoa(i%5)
			if got, err := follow(ctx, reader, id, 0); err != nil || len(got) != 3 {
				t.Errorf("%s: %d events, %v", id, len(got), err)
			}
		})
	}
	eventually(t, "every connection waits", func() bool { return len(reader.blocking) == blockingReads })
	start := time.Now()
	err := reader.client.cluster.Set(ctx, "other", "1", time.Minute).Err()
	if err != nil || time.Since(start) > time.Second {
		t.Errorf("another command: %v after %s", err, time.Since(start))
	}
	for i := range 5 {
		end := agent.Event{Seq: 3, Type: agent.EventEnd}
		if err := writer.Append(ctx, "many"+strconv.Itoa(i), append(deltas(1, 2), end)); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
}

func appendedAgain(t *testing.T, writer, reader *Events) {
	for _, events := range [][]agent.Event{deltas(1, 3), deltas(1, 3), deltas(2, 5)} {
		if err := writer.Append(t.Context(), "twice", events); err != nil {
			t.Error(err)
		}
	}
	got, err := reader.Read(t.Context(), "twice", 0, 0)
	if err != nil || !reflect.DeepEqual(got, deltas(1, 5)) {
		t.Errorf("read %v, %v", got, err)
	}
}

func endsBeforeGap(t *testing.T, writer, reader *Events) {
	for _, events := range [][]agent.Event{deltas(1, 2), deltas(4, 5)} {
		if err := writer.Append(t.Context(), "gap", events); err != nil {
			t.Error(err)
		}
	}
	for after, want := range map[int]int{0: 2, 1: 1, 2: 0, 3: 2} {
		if got, err := reader.Read(t.Context(), "gap", after, 0); err != nil || len(got) != want {
			t.Errorf("after %d: %v, %v", after, got, err)
		}
	}
}

func expires(t *testing.T, writer, reader *Events) {
	ctx, key := t.Context(), eventsPrefix+"old"
	cluster := writer.client.cluster
	if err := writer.Append(ctx, "old", deltas(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Expire(ctx, key, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if err := writer.Append(ctx, "old", deltas(2, 2)); err != nil {
		t.Fatal(err)
	}
	if ttl := cluster.TTL(ctx, key).Val(); ttl < eventsTTL-time.Minute || ttl > eventsTTL {
		t.Errorf("the log lives for %s after an append", ttl)
	}
	if err := cluster.PExpire(ctx, key, time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log is gone", func() bool {
		got, err := reader.Read(ctx, "old", 0, 0)
		return got == nil && err == nil
	})
}

func waits(t *testing.T, reader *Events) {
	start := time.Now()
	got, err := reader.Read(t.Context(), "none", 0, 1500*time.Millisecond)
	if took := time.Since(start); got != nil || err != nil || took < 1400*time.Millisecond {
		t.Errorf("%v, %v after %s", got, err, took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	start = time.Now()
	if _, err := reader.Read(ctx, "none", 0, time.Minute); err == nil || time.Since(start) > readBound {
		t.Errorf("a reader that has gone: %v after %s", err, time.Since(start))
	}
}

func TestEventsWithoutRedis(t *testing.T) {
	for name, fail := range map[string]func(*testing.T, *testenv.RedisCluster){
		"killed": func(_ *testing.T, c *testenv.RedisCluster) { c.Stop() },
		"hangs":  func(t *testing.T, c *testenv.RedisCluster) { c.Pause(t) },
	} {
		t.Run(name, func(t *testing.T) {
			cluster := testenv.NewRedisCluster(t)
			events := NewEvents(newClient(t, cluster, Options{}))
			waiting := make(chan error, 1)
			go func() {
				_, err := events.Read(context.Background(), "m", 0, time.Minute)
				waiting <- err
			}()
			eventually(t, "a reader waits", func() bool { return len(events.blocking) == 1 })
			fail(t, cluster)
			select {
			case err := <-waiting:
				if err == nil {
					t.Error("a reader that waited got no error")
				}
			case <-time.After(readBound):
				t.Fatal("a reader that waited hangs")
			}
			for call, ask := range map[string]func() error{
				"read":   func() error { _, err := events.Read(t.Context(), "m", 0, time.Minute); return err },
				"append": func() error { return events.Append(t.Context(), "m", deltas(1, 1)) },
			} {
				start := time.Now()
				err := ask()
				if took := time.Since(start); err == nil || took > readBound {
					t.Errorf("%s: %v after %s", call, err, took)
				}
			}
		})
	}
}
