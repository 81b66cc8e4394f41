package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"agentstack/app/problem"
)

// textOf is a text that is estimated at n tokens.
func textOf(letter string, n int) string { return strings.Repeat(letter, 3*(n-4)) }

func TestHistory(t *testing.T) {
	// 10,000 tokens of context less 2,500 for the answer, 7 for the system prompt and 5 for the question.
	const room = 10_000 - 2_500 - 7 - 5
	type turn struct {
		question, answer string
		status           MessageStatus
	}
	done := func(question, answer string) turn { return turn{question, answer, MessageCompleted} }
	var many []turn
	for i := range 120 {
		many = append(many, done(fmt.Sprintf("q%d", i), fmt.Sprintf("a%d", i)))
	}
	for name, test := range map[string]struct {
		turns []turn
		want  int // how many of the newest turns are kept
	}{
		"none":                {nil, 0},
		"short":               {[]turn{done("a", "b"), done("c", "d")}, 2},
		"several pages":       {many, 120},
		"just fits":           {[]turn{done("a", "b"), done(textOf("c", room/2), textOf("d", room-room/2))}, 1},
		"one token too many":  {[]turn{done("a", "b"), done(textOf("c", room/2), textOf("d", room-room/2+1))}, 0},
		"drops the oldest":    {[]turn{done("a", textOf("b", room)), done("c", "d"), done("e", "f")}, 2},
		"no gap after a long": {[]turn{done("a", "b"), done("c", textOf("b", room)), done("e", "f")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sessions, store, model := newSessions(nil)
				for _, turn := range test.turns {
					question, answer := sessions.turn(&Session{ID: sessionID}, &Agent{Model: "m"}, turn.question)
					answer.Content, answer.Status = turn.answer, turn.status
					if err := store.AddTurn(t.Context(), tenant, question, answer, 0); err != nil {
						t.Fatal(err)
					}
				}
				want := []string{"Be brief."}
				for _, turn := range test.turns[len(test.turns)-test.want:] {
					want = append(want, turn.question, turn.answer)
				}
				checkPrompt(t, sessions, model, append(want, "hi!"))
			})
		})
	}
}

// checkPrompt asks "hi!" and compares what the model gets.
func checkPrompt(t *testing.T, sessions *Sessions, model *scriptedModel, want []string) {
	t.Helper()
	run := ask(t, sessions, "hi!")
	request := <-model.requests
	var got []string
	for _, message := range promptOf(t, request) {
		got = append(got, message.Content)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %.200q, want %.200q", got, want)
	}
	if request.MaxTokens != 2_500 || !request.Stream || !request.IncludeUsage || request.TenantID != tenant {
		t.Errorf("request %+v", request)
	}
	close(model.chunks)
	if _, err := run.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHistoryOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, store, model := newSessions(func(agent *Agent) { agent.SystemPrompt = "" })
		for _, answer := range []Message{
			{Status: MessageFailed}, {Status: MessageInterrupted, Content: "part"}, {Status: MessageFailed},
		} {
			asked := "q" + string(answer.Status)
			question, stored := sessions.turn(&Session{ID: sessionID}, &Agent{Model: "m"}, asked)
			stored.Content, stored.Status = answer.Content, answer.Status
			if err := store.AddTurn(t.Context(), tenant, question, stored, 0); err != nil {
				t.Fatal(err)
			}
		}
		checkPrompt(t, sessions, model, []string{"qinterrupted", "part", "hi!"})
	})
}

// retriever finds the same for every question.
type retriever struct {
	citations []Citation
	err       error
}

func (r retriever) Retrieve(_ context.Context, asker, question string) ([]Citation, error) {
	if asker != tenant || question == "" {
		return nil, errors.New("wrong question")
	}
	return slices.Clone(r.citations), r.err
}

func TestCitations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, store, model := newSessions(func(agent *Agent) { agent.Retrieval = true })
		sessions.Retriever = retriever{citations: []Citation{
			{ChunkID: "c1", Title: "One", Excerpt: "first"}, {ChunkID: "c2", Title: "Two", Excerpt: "second"},
			{ChunkID: "c3", Title: "Three", Excerpt: "third"},
			{ChunkID: "c4", Excerpt: strings.Repeat("x", 40_000)},
		}}
		run := ask(t, sessions, "hi")
		system := promptOf(t, <-model.requests)[0].Content
		if !strings.HasPrefix(system, "Be brief.\n\n"+citeInstruction+"\n\n[1] One\nfirst\n\n[2] Two") ||
			strings.Contains(system, "[4]") {
			t.Errorf("system message %.500q", system)
		}
		model.say("So it is [", "3], and [1, 3], not [4] or [12].")
		close(model.chunks)
		_, events := collect(t, run.Events(t.Context(), 0))
		if events[0].Type != EventCitations || len(events[0].Citations) != 3 ||
			events[0].Citations[1].Number != 2 {
			t.Errorf("first event %+v", events[0])
		}
		message, _ := store.Message(t.Context(), tenant, run.MessageID)
		if used := message.Citations; len(used) != 2 || used[0].ChunkID != "c1" || used[1].ChunkID != "c3" {
			t.Errorf("stored citations %+v", used)
		}
	})
}

func TestRetrievalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, store, model := newSessions(func(agent *Agent) { agent.Retrieval = true })
		for name, r := range map[string]Retriever{"lost": retriever{err: errors.New("lost")}, "none": nil} {
			sessions.Retriever = r
			if _, err := sessions.Ask(t.Context(), tenant, sessionID, "hi", nil); err == nil {
				t.Fatalf("%s: answered", name)
			} else {
				checkProblem(t, err, problem.Unavailable, "retrieval_unavailable", "")
			}
		}
		if len(model.requests) != 0 || len(store.messages) != 0 {
			t.Error("the model was called, or something stored")
		}
		sessions.Retriever = retriever{} // finds nothing
		checkPrompt(t, sessions, model, []string{"Be brief.", "hi!"})
	})
}
