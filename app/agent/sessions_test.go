package agent

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/problem"
)

func TestCheckAgent(t *testing.T) {
	tooLong := strings.Repeat("x", 64<<10+1)
	hot, cold, none := 2.1, -0.1, math.NaN()
	for name, test := range map[string]struct {
		change func(*Agent)
		kind   problem.Kind
		param  string
	}{
		"valid":             {change: func(*Agent) {}},
		"longest name":      {change: func(a *Agent) { a.Name = strings.Repeat("é", 200) }},
		"no name":           {func(a *Agent) { a.Name = " " }, problem.Invalid, "name"},
		"long name":         {func(a *Agent) { a.Name = strings.Repeat("é", 201) }, problem.Invalid, "name"},
		"name with NUL":     {func(a *Agent) { a.Name = "a\x00" }, problem.Invalid, "name"},
		"prompt not UTF-8":  {func(a *Agent) { a.SystemPrompt = "\xff" }, problem.Invalid, "system_prompt"},
		"long prompt":       {func(a *Agent) { a.SystemPrompt = tooLong }, problem.Invalid, "system_prompt"},
		"too hot":           {func(a *Agent) { a.Temperature = &hot }, problem.Invalid, "temperature"},
		"too cold":          {func(a *Agent) { a.Temperature = &cold }, problem.Invalid, "temperature"},
		"no number":         {func(a *Agent) { a.Temperature = &none }, problem.Invalid, "temperature"},
		"model not offered": {func(a *Agent) { a.Model = "x" }, problem.Unprocessable, "model"},
	} {
		t.Run(name, func(t *testing.T) {
			sessions, _, _ := newSessions(nil)
			draft := Agent{Name: "a", Model: "m"}
			test.change(&draft)
			_, created := sessions.CreateAgent(t.Context(), tenant, draft)
			_, updated := sessions.UpdateAgent(t.Context(), tenant, "agent", test.change)
			for _, err := range []error{created, updated} {
				if test.kind != "" {
					checkProblem(t, err, test.kind, "", test.param)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestManage(t *testing.T) {
	sessions, store, _ := newSessions(nil)
	agent, err := sessions.CreateAgent(t.Context(), tenant, Agent{ID: "mine", Name: "a", Model: "m"})
	if err != nil || agent.ID == "mine" || agent.CreatedAt.IsZero() {
		t.Fatalf("got %+v, %v", agent, err)
	}
	updated, err := sessions.UpdateAgent(t.Context(), tenant, agent.ID,
		func(a *Agent) { a.ID, a.Name = "other", "b" })
	if stored := store.agents[agent.ID]; err != nil || updated.ID != agent.ID ||
		stored.Name != "b" || stored.Model != "m" {
		t.Errorf("got %+v, %v", updated, err)
	}
	_, err = sessions.UpdateAgent(t.Context(), "other", agent.ID, func(*Agent) {})
	checkProblem(t, err, problem.NotFound, "", "")
	if session, err := sessions.CreateSession(t.Context(), tenant, agent.ID, ""); err != nil || session.ID == "" {
		t.Errorf("got %+v, %v", session, err)
	}
	_, err = sessions.CreateSession(t.Context(), tenant, agent.ID, strings.Repeat("é", 201))
	checkProblem(t, err, problem.Invalid, "", "title")
}

func TestCancelAndUnread(t *testing.T) {
	for name, test := range map[string]struct {
		act   func(t *testing.T, s *Sessions, run *Run)
		cause error
	}{
		"cancelled": {func(t *testing.T, s *Sessions, run *Run) {
			checkProblem(t, s.Cancel(t.Context(), "other", run.MessageID), problem.NotFound, "", "")
			if err := s.Cancel(t.Context(), tenant, run.MessageID); err != nil {
				t.Error(err)
			}
		}, errCancelled},
		"session deleted": {func(t *testing.T, s *Sessions, _ *Run) {
			if err := s.DeleteSession(t.Context(), tenant, sessionID); err != nil {
				t.Error(err)
			}
		}, errCancelled},
		"never read": {func(*testing.T, *Sessions, *Run) { time.Sleep(unreadTimeout) }, errUnread},
		"read no longer": {func(t *testing.T, _ *Sessions, run *Run) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*unreadTimeout)
			defer cancel()
			if _, err := run.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("read for %s, but got %v", 2*unreadTimeout, err)
			}
			if run.ended() {
				t.Error("ended while it was read")
			}
			time.Sleep(unreadTimeout)
		}, errUnread},
		"stopped": {func(t *testing.T, s *Sessions, _ *Run) {
			s.Stop()
			if _, err := s.Ask(t.Context(), tenant, sessionID, "again", nil); !errors.Is(err, ErrShutdown) {
				t.Errorf("asked after the stop: %v", err)
			}
		}, ErrShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sessions, store, model := newSessions(nil)
				run := ask(t, sessions, "hi")
				model.say("partial")
				test.act(t, sessions, run)
				synctest.Wait()
				message, err := store.Message(t.Context(), tenant, run.MessageID)
				if err != nil {
					t.Fatal(err)
				}
				if message.Status != MessageInterrupted || message.Content != "partial" ||
					message.Error != test.cause.Error() {
					t.Errorf("stored %+v", message)
				}
				if err := sessions.Cancel(t.Context(), tenant, run.MessageID); err != nil {
					t.Errorf("cancel of an ended answer: %v", err)
				}
				if err := sessions.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestDrainWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, store, model := newSessions(nil)
		run := ask(t, sessions, "hi")
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := sessions.Drain(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drained while an answer was in progress: %v", err)
		}
		close(model.chunks)
		if err := sessions.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if message, _ := store.Message(t.Context(), tenant, run.MessageID); message.Status != MessageCompleted {
			t.Errorf("stored %+v", message)
		}
	})
}

// stuckStore never finishes.
type stuckStore struct{ *memoryStore }

func (stuckStore) FinishMessage(ctx context.Context, _ string, _ *Message) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, store, _ := newSessions(nil)
		sessions.Store = stuckStore{store}
		ask(t, sessions, "hi")
		started := time.Now()
		sessions.Stop()
		if took := time.Since(started); took > stopTimeout {
			t.Errorf("stopped after %s, want at most %s", took, stopTimeout)
		}
		time.Sleep(time.Minute) // lets the answer end before the test does
	})
}
