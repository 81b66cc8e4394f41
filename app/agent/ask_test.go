package agent

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/problem"
)

// collect reads all events; it fails on gaps.
func collect(t *testing.T, events iter.Seq2[Event, error]) (text string, all []Event) {
	t.Helper()
	for event, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if len(all) > 0 && event.Seq != all[len(all)-1].Seq+1 {
			t.Errorf("event %d after %d", event.Seq, all[len(all)-1].Seq)
		}
		all = append(all, event)
		text += event.Text
	}
	if len(all) == 0 || all[len(all)-1].Type != EventEnd {
		t.Fatalf("no end: %+v", all)
	}
	return text, all
}

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, store, model := newSessions(nil)
		store.delay = time.Second // only what is stored is told to have ended
		active := 0
		sessions.Started = func(id string) func() {
			if id != "agent" {
				t.Errorf("started for agent %q", id)
			}
			active++
			return func() { active-- }
		}
		var used []int64
		asked, leave := context.WithCancel(t.Context())
		run, err := sessions.Ask(asked, tenant, sessionID, "hi", func(n int64) { used = append(used, n) })
		if err != nil {
			t.Fatal(err)
		}
		leave() // the answer goes on
		_, err = sessions.Ask(t.Context(), tenant, sessionID, "again", nil)
		checkProblem(t, err, problem.Conflict, "answer_in_progress", "")
		if len(sessions.runs) != 1 {
			t.Errorf("%d answers after one was refused, want 1", len(sessions.runs))
		}
		model.say("Hel", "lo", "\x00", "\xff")
		if active != 1 {
			t.Errorf("%d active, want 1", active)
		}
		model.chunks <- Chunk{Delta: Answer{Model: "m-1", Usage: &Usage{PromptTokens: 7, CompletionTokens: 2}}}
		close(model.chunks)
		message, err := run.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if message.Content != "Hello\uFFFD" || message.Status != MessageCompleted ||
			message.Model != "m-1" || message.Error != "" {
			t.Errorf("got %+v", message)
		}
		stored, _ := store.Message(t.Context(), tenant, run.MessageID)
		if stored.Content != message.Content || *stored.Usage != *message.Usage {
			t.Errorf("stored %+v", stored)
		}
		synctest.Wait()
		if len(used) != 1 || used[0] != 9 || active != 0 {
			t.Errorf("settled %v, %d active", used, active)
		}
		if text, events := collect(t, run.Events(t.Context(), 1)); text != "lo\uFFFD" || len(events) != 3 {
			t.Errorf("read again after event 1: %+v", events)
		}
		for event, err := range run.Events(t.Context(), 99) {
			t.Errorf("after the end: %+v, error %v", event, err)
		}
	})
}

func TestSlowReaderHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, _, model := newSessions(nil)
		run := ask(t, sessions, "hi")
		follow := func(delay time.Duration) <-chan string {
			done := make(chan string, 1)
			go func() {
				events, err := sessions.Follow(t.Context(), tenant, run.MessageID, 0)
				if err != nil {
					t.Error(err)
				}
				var text strings.Builder
				for event, err := range events {
					if err != nil {
						t.Error(err)
					}
					text.WriteString(event.Text)
					time.Sleep(delay)
				}
				done <- text.String()
			}()
			return done
		}
		slow, fast := follow(time.Hour), follow(0)
		started := time.Now()
		model.say(strings.Split(strings.Repeat("x ", 50), " ")...)
		close(model.chunks)
		if text := <-fast; text != strings.Repeat("x", 50) || time.Since(started) > 0 {
			t.Errorf("fast reader has %q after %s", text, time.Since(started))
		}
		if text := <-slow; text != strings.Repeat("x", 50) {
			t.Errorf("slow reader has %q", text)
		}
	})
}

func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*scriptedModel, *memoryStore)
		says    []string
		want    string // in the error
	}{
		"refused": {func(m *scriptedModel, _ *memoryStore) {
			m.fails = &ModelError{Kind: ModelRejected, Message: "too\x00 spicy"}
		}, nil, "too spicy"},
		"secret": {func(m *scriptedModel, _ *memoryStore) {
			m.fails = &ModelError{Kind: ModelUnauthorized, Message: "bad key sk-1"}
		}, nil, "the model server failed"},
		"breaks off": {func(m *scriptedModel, _ *memoryStore) {
			m.breaks = &ModelError{Kind: ModelUnreachable}
		}, []string{"some", "thing"}, "cannot be reached"},
		"panic":   {func(m *scriptedModel, _ *memoryStore) { m.panics = true }, nil, "internal error"},
		"endless": {nil, []string{strings.Repeat("x", maxAnswer), "y"}, "8 MiB"},
		"not stored": {func(_ *scriptedModel, s *memoryStore) {
			s.failing = errors.New("lost")
		}, []string{"text"}, "could not be stored"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sessions, store, model := newSessions(nil)
				if test.prepare != nil {
					test.prepare(model, store)
				}
				var used int64 = -1
				run, err := sessions.Ask(t.Context(), tenant, sessionID, "hi", func(n int64) { used = n })
				if err != nil {
					t.Fatal(err)
				}
				model.say(test.says...)
				close(model.chunks)
				message, err := run.Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if message.Status != MessageFailed || !strings.Contains(message.Error, test.want) {
					t.Errorf("got %s: %s", message.Status, message.Error)
				}
				synctest.Wait()
				var want int64
				if message.Content != "" {
					want = int64(len((<-model.requests).Body)+len(message.Content)) / 4
				}
				if used != want {
					t.Errorf("settled %d, want %d", used, want)
				}
			})
		})
	}
}

func TestAskRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, store, _ := newSessions(nil)
		for name, test := range map[string]struct {
			tenant, content, param string
			kind                   problem.Kind
		}{
			"blank":        {tenant, " \n", "content", problem.Invalid},
			"NUL":          {tenant, "a\x00", "content", problem.Invalid},
			"not UTF-8":    {tenant, "\xff", "content", problem.Invalid},
			"too large":    {tenant, strings.Repeat("x", maxQuestion+1), "content", problem.Invalid},
			"other tenant": {"other", "hi", "", problem.NotFound},
			"no room":      {tenant, strings.Repeat("x", 30_000), "", problem.Unprocessable},
		} {
			run, err := sessions.Ask(t.Context(), test.tenant, sessionID, test.content, nil)
			if run != nil || err == nil {
				t.Fatalf("%s: accepted", name)
			}
			checkProblem(t, err, test.kind, "", test.param)
		}
		if len(store.messages) != 0 {
			t.Errorf("stored %+v", store.messages)
		}
	})
}
