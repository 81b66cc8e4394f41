package agent

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/problem"
)

// twoReplicas returns the process that generates, one that does not, and the log between them.
func twoReplicas() (here, there *Sessions, store *memoryStore, model *scriptedModel, log *memoryLog) {
	log = newMemoryLog()
	here, store, model = newSessions(nil)
	here.Events, here.Signals = log, log
	return here, store.replica(model, log), store, model, log
}

func follow(t *testing.T, sessions *Sessions, messageID string, after int) (string, []Event) {
	t.Helper()
	events, err := sessions.Follow(t.Context(), tenant, messageID, after)
	if err != nil {
		t.Fatal(err)
	}
	return collect(t, events)
}

func TestFollowFromOtherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, store, model, log := twoReplicas()
		run := ask(t, here, "hi")
		go func() {
			for range 100 {
				model.say("x")
			}
			time.Sleep(3 * unreadTimeout) // a reader elsewhere keeps the answer going
			model.say("y")
			close(model.chunks)
		}()
		text, events := follow(t, there, run.MessageID, 40)
		if len(text) != 61 || events[0].Seq != 41 {
			t.Errorf("got %d bytes from event %d on", len(text), events[0].Seq)
		}
		if last := events[len(events)-1]; last.Status != MessageCompleted {
			t.Errorf("end %+v", last)
		}
		if message, _ := store.Message(t.Context(), tenant, run.MessageID); message.Status != MessageCompleted {
			t.Errorf("stored %+v", message)
		}
		if log.appends > 4 {
			t.Errorf("%d appends of 102 events, want batches", log.appends)
		}
		// The log still has an answer that has ended, so a resume is exact.
		if text, events := follow(t, there, run.MessageID, 100); text != "y" || events[0].Seq != 101 {
			t.Errorf("resumed: %+v", events)
		}
	})
}

func TestFollowStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, store, _, log := twoReplicas()
		store.owner["done"], store.owner["question"] = tenant, tenant
		store.messages = []Message{{ID: "question", Role: RoleUser, Status: MessageCompleted}, {
			ID: "done", Role: RoleAssistant, Status: MessageFailed, Error: "broke", Content: "partial [1]",
			Citations: []Citation{{Number: 1}},
		}}
		check := func(what string, sessions *Sessions, after int) {
			t.Helper()
			text, events := follow(t, sessions, "done", after)
			if text != "partial [1]" || len(events) != 3 || events[0].Seq != 1 ||
				events[0].Type != EventCitations ||
				events[2].Status != MessageFailed || events[2].Error != "broke" {
				t.Errorf("%s: %+v", what, events)
			}
		}
		check("from the start", there, 0)
		check("resumed, of which the log knows nothing", there, 5)
		log.failing = errors.New("lost")
		check("without a log", there, 2)
		here.Events = nil
		check("one replica only", here, 0)
		_, err := there.Follow(t.Context(), "other", "done", 0)
		checkProblem(t, err, problem.NotFound, "", "")
		_, err = there.Follow(t.Context(), tenant, "question", 0)
		checkProblem(t, err, problem.NotFound, "", "")
	})
}

// TestFollowLostLog loses the log in the middle: the reader that has all so far gets just the rest.
func TestFollowLostLog(t *testing.T) {
	for name, gap := range map[string]bool{"fails": false, "has a gap": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there, _, model, log := twoReplicas()
				run := ask(t, here, "hi")
				go func() {
					model.say("one ")
					time.Sleep(time.Second)
					log.mu.Lock()
					if gap {
						log.events[run.MessageID] = []Event{{Seq: 7, Type: EventDelta, Text: "?"}}
					} else {
						log.failing = errors.New("lost")
					}
					log.mu.Unlock()
					model.say("two")
					close(model.chunks)
				}()
				if text, events := follow(t, there, run.MessageID, 0); text != "one two" || len(events) != 3 {
					t.Errorf("got %+v", events)
				}
			})
		})
	}
}

func TestFollowLostProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, there, store, _, _ := twoReplicas()
		store.owner["lost"] = tenant
		store.messages = []Message{{ID: "lost", Role: RoleAssistant, Status: MessageInProgress}}
		store.messages[0].CreatedAt = time.Now()
		started := time.Now()
		_, events := follow(t, there, "lost", 0)
		if took := time.Since(started); took < staleAnswer || took > staleAnswer+10*time.Second {
			t.Errorf("given up after %s, want soon after %s", took, staleAnswer)
		}
		if events[0].Status != MessageInterrupted {
			t.Errorf("got %+v", events)
		}
		started = time.Now()
		follow(t, there, "lost", 3)
		if took := time.Since(started); took < quietTimeout || took > quietTimeout+10*time.Second {
			t.Errorf("a stale one given up after %s, want %s", took, quietTimeout)
		}
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, _, model, _ := twoReplicas()
		run := ask(t, here, "hi")
		model.say("x")
		for name, sessions := range map[string]*Sessions{"local": here, "elsewhere": there} {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			events, err := sessions.Follow(ctx, tenant, run.MessageID, 0)
			if err != nil {
				t.Fatal(err)
			}
			var last error
			for event, err := range events {
				if event.Type == EventDelta {
					cancel(ErrShutdown)
				}
				last = err
			}
			if !errors.Is(last, ErrShutdown) {
				t.Errorf("%s: got %v", name, last)
			}
			events(func(Event, error) bool { return false }) // a reader that goes away at once
		}
		if _, err := here.Follow(t.Context(), "other", run.MessageID, 0); err == nil {
			t.Error("another tenant follows")
		}
		close(model.chunks)
		if err := here.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCancelElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, store, model, _ := twoReplicas()
		run := ask(t, here, "hi")
		var speaker sync.WaitGroup
		defer speaker.Wait()
		speaker.Go(func() {
			for !run.ended() { // speaks without a pause
				select {
				case model.chunks <- Chunk{Delta: Answer{Text: "x"}}:
				case <-run.done:
				}
				time.Sleep(time.Millisecond)
			}
		})
		if err := there.Cancel(t.Context(), tenant, run.MessageID); err != nil {
			t.Fatal(err)
		}
		if message, err := run.Wait(t.Context()); err != nil || message.Status != MessageInterrupted {
			t.Errorf("got %+v, %v", message, err)
		}
		store.messages[1].Status = MessageInProgress
		there.Signals = nil
		checkProblem(t, there.Cancel(t.Context(), tenant, run.MessageID), problem.Conflict, "answer_elsewhere", "")
		checkProblem(t, there.Cancel(t.Context(), tenant, run.QuestionID), problem.NotFound, "", "")
	})
}

func TestLostLogIsNoErrorOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, _, _, model, log := twoReplicas()
		log.failing = errors.New("lost")
		run := ask(t, here, "hi")
		model.say("a")
		time.Sleep(10 * time.Second)
		log.mu.Lock()
		log.failing = nil
		log.mu.Unlock()
		time.Sleep(2 * appendRetry)
		log.mu.Lock()
		if len(log.events[run.MessageID]) != 1 {
			t.Errorf("log is back, but has %+v", log.events)
		}
		log.failing = errors.New("lost")
		log.mu.Unlock()
		close(model.chunks)
		if message, err := run.Wait(t.Context()); err != nil || message.Status != MessageCompleted {
			t.Errorf("got %+v, %v", message, err)
		}
		started := time.Now()
		if err := here.Drain(t.Context()); err != nil || time.Since(started) > appendTimeout+appendRetry {
			t.Errorf("drained after %s: %v", time.Since(started), err)
		}
	})
}
