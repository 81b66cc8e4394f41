package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/agent"
)

func TestMessages(t *testing.T) {
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		store, tenant := NewSessions(pool), newTenants(t, pool, 1)[0]
		for name, test := range map[string]func(*testing.T, *Sessions, string, string){
			"turn": testTurn, "text": testText, "one at a time": testOneAtATime, "stale": testStale, "race": testRace,
			"list": testMessageList,
		} {
			session := newSession(t, store, tenant)
			t.Run(name, func(t *testing.T) { test(t, store, tenant, session.ID) })
		}
	})
}

func turn(t *testing.T, sessionID string) (question, answer *agent.Message) {
	t.Helper()
	question = &agent.Message{
		ID: newID(t), SessionID: sessionID, Role: agent.RoleUser, Status: agent.MessageCompleted, Content: "Why?",
		CreatedAt: now(),
	}
	answer = &agent.Message{
		ID: newID(t), SessionID: sessionID, Role: agent.RoleAssistant, Status: agent.MessageInProgress, Model: "small",
		CreatedAt: now(),
	}
	return question, answer
}

func testTurn(t *testing.T, store *Sessions, tenant, session string) {
	question, answer := turn(t, session)
	check(t, store.AddTurn(t.Context(), tenant, question, answer, time.Minute))
	got, err := store.Message(t.Context(), tenant, answer.ID)
	check(t, err)
	if got.Status != agent.MessageInProgress || got.Usage != nil || len(got.Citations) != 0 ||
		!got.CreatedAt.Equal(answer.CreatedAt) || got.SessionID != session || got.Role != agent.RoleAssistant {
		t.Errorf("in progress: got %+v", got)
	}
	answer.Status, answer.Content, answer.Model = agent.MessageFailed, "Because", "small-2026"
	answer.Error, answer.Usage = "model server: 500", &agent.Usage{PromptTokens: 12, CompletionTokens: 3}
	answer.Citations = []agent.Citation{{Number: 1, DocumentID: newID(t), ChunkID: newID(t), Title: "T", Score: 0.5}}
	for range 2 { // the second time as after a lost confirmation
		check(t, store.FinishMessage(t.Context(), tenant, answer))
	}
	got, err = store.Message(t.Context(), tenant, answer.ID)
	check(t, err)
	if got.Status != answer.Status || got.Content != answer.Content || got.Model != answer.Model ||
		got.Error != answer.Error || *got.Usage != *answer.Usage || !slices.Equal(got.Citations, answer.Citations) {
		t.Errorf("finished: got %+v, want %+v", got, answer)
	}
	wantProblem(t, store.FinishMessage(t.Context(), tenant, question), "not_found")
}

func testText(t *testing.T, store *Sessions, tenant, session string) {
	texts := map[string]string{"a\x00b": "a\uFFFDb", "\xffa\xc3": "\uFFFDa\uFFFD", `\u0000`: `\u0000`}
	for _, text := range awkward {
		texts[text] = text
	}
	for given, want := range texts {
		question, answer := turn(t, session)
		question.Content = given
		check(t, store.AddTurn(t.Context(), tenant, question, answer, time.Minute))
		answer.Status, answer.Content, answer.Error = agent.MessageCompleted, given, given
		answer.Citations = []agent.Citation{{Title: given, Excerpt: given}}
		check(t, store.FinishMessage(t.Context(), tenant, answer))
		asked, err := store.Message(t.Context(), tenant, question.ID)
		check(t, err)
		got, err := store.Message(t.Context(), tenant, answer.ID)
		check(t, err)
		for name, text := range map[string]string{
			"question": asked.Content, "answer": got.Content, "error": got.Error, "title": got.Citations[0].Title,
			"excerpt": got.Citations[0].Excerpt,
		} {
			if text != want {
				t.Errorf("%s: got %q, want %q", name, text, want)
			}
		}
	}
}

func testOneAtATime(t *testing.T, store *Sessions, tenant, session string) {
	question, first := turn(t, session)
	check(t, store.AddTurn(t.Context(), tenant, question, first, time.Minute))
	question, second := turn(t, session)
	wantProblem(t, store.AddTurn(t.Context(), tenant, question, second, time.Minute), "answer_in_progress")
	_, err := store.Message(t.Context(), tenant, question.ID)
	wantProblem(t, err, "not_found") // both or neither
	first.Status = agent.MessageCompleted
	check(t, store.FinishMessage(t.Context(), tenant, first))
	check(t, store.AddTurn(t.Context(), tenant, question, second, time.Minute))
}

func testStale(t *testing.T, store *Sessions, tenant, session string) {
	question, lost := turn(t, session)
	lost.CreatedAt = now().Add(-time.Hour)
	check(t, store.AddTurn(t.Context(), tenant, question, lost, time.Minute))
	question, answer := turn(t, session)
	wantProblem(t, store.AddTurn(t.Context(), tenant, question, answer, 2*time.Hour), "answer_in_progress")
	check(t, store.AddTurn(t.Context(), tenant, question, answer, time.Minute))
	got, err := store.Message(t.Context(), tenant, lost.ID)
	if err != nil || got.Status != agent.MessageInterrupted || got.Error == "" {
		t.Errorf("stale answer: got %+v, %v", got, err)
	}
}

func testRace(t *testing.T, store *Sessions, tenant, session string) {
	for _, stale := range []bool{false, true} {
		const n = 8
		errs, group := make([]error, n), sync.WaitGroup{}
		for i := range n {
			question, answer := turn(t, session)
			if stale { // then each of them finds the winner of the first round too old
				answer.CreatedAt = now().Add(time.Hour)
			}
			group.Go(func() { errs[i] = store.AddTurn(t.Context(), tenant, question, answer, time.Minute) })
		}
		group.Wait()
		won := slices.IndexFunc(errs, func(err error) bool { return err == nil })
		if won < 0 {
			t.Fatalf("stale %t: no turn was added: %v", stale, errs)
		}
		for _, err := range slices.Delete(errs, won, won+1) {
			wantProblem(t, err, "answer_in_progress")
		}
	}
	found, err := store.Messages(t.Context(), tenant, session, agent.Page{Limit: 100})
	if err != nil || len(found) != 4 {
		t.Errorf("got %d messages, %v; want two turns", len(found), err)
	}
}

func testMessageList(t *testing.T, store *Sessions, tenant, session string) {
	found, err := store.Messages(t.Context(), tenant, session, agent.Page{Limit: 100})
	if err != nil || len(found) != 0 {
		t.Errorf("of a new session: got %v, %v", found, err)
	}
	const turns = 125
	var want, got []string
	for range turns {
		question, answer := turn(t, session)
		answer.Status = agent.MessageCompleted
		check(t, store.AddTurn(t.Context(), tenant, question, answer, time.Minute))
		want = append(want, question.ID, answer.ID)
	}
	slices.Reverse(want)
	for before := ""; len(got) < 2*turns; before = got[len(got)-1] {
		found, err := store.Messages(t.Context(), tenant, session, agent.Page{Limit: 49, Before: before})
		check(t, err)
		if len(found) == 0 || len(found) > 50 {
			t.Fatalf("got %d messages after %d", len(found), len(got))
		}
		for _, m := range found {
			got = append(got, m.ID)
		}
	}
	if !slices.Equal(got, want) {
		t.Error("the list is not newest first, or not complete")
	}
}

func TestFinishMessageOutlastsAFailover(t *testing.T) {
	server := migrated(t)
	pool := open(t, server.URL())
	store, tenant := NewSessions(pool), newTenants(t, pool, 1)[0]
	question, answer := turn(t, newSession(t, store, tenant).ID)
	check(t, store.AddTurn(t.Context(), tenant, question, answer, time.Minute))
	answer.Status, answer.Content = agent.MessageCompleted, "Because"
	server.Stop(t)

	ctx, cancel := context.WithTimeout(t.Context(), 2*retryPause)
	defer cancel()
	if err := store.FinishMessage(ctx, tenant, answer); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a server: got %v, want the end of the context", err)
	}
	finished := make(chan error)
	go func() { finished <- store.FinishMessage(t.Context(), tenant, answer) }()
	server.Start(t)
	check(t, <-finished)
	got, err := store.Message(t.Context(), tenant, answer.ID)
	if err != nil || got.Content != "Because" {
		t.Errorf("got %+v, %v", got, err)
	}
}
