//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"agentstack/tests/cloud"
)

// agentAnswers asks an agent about a document. The mock repeats the question, so the answer cites what the question
// does.
func agentAnswers(t *testing.T) {
	var document, agent, session struct{ ID string }
	for _, step := range []struct {
		path string
		body map[string]any
		into any
	}{
		{"/v1/documents", map[string]any{
			"title": "Handbook", "content": "# Holidays\nEverybody has 30 days off.", "content_type": "text/markdown",
		}, &document},
		{"/v1/agents", map[string]any{"name": "Support", "model": "mock", "retrieval": true}, &agent},
	} {
		if err := api.CallInto(http.MethodPost, step.path, api.Key, step.body, step.into); err != nil {
			t.Fatal(err)
		}
	}
	err := api.CallInto(http.MethodPost, "/v1/sessions", api.Key, map[string]any{"agent_id": agent.ID}, &session)
	if err != nil {
		t.Fatal(err)
	}
	const question = "How many days off does everybody have? [1]"
	header, stream, err := api.Call(http.MethodPost, "/v1/sessions/"+session.ID+"/messages", api.Key,
		map[string]any{"content": question, "stream": true})
	if err != nil {
		t.Fatal(err)
	}
	if got := header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("the answer's type is %q", got)
	}
	for _, want := range []string{"event: message\n", "event: citations\n", document.ID, "event: end\n"} {
		if !strings.Contains(string(stream), want) {
			t.Errorf("no %q in the stream:\n%s", want, stream)
		}
	}
	id := regexp.MustCompile(`"message_id":"([0-9a-f-]{36})"`).FindSubmatch(stream)
	if id == nil {
		t.Fatalf("the stream names no message:\n%s", stream)
	}
	cloud.Eventually(t, cloud.HealTimeout, "the answer is stored", func() error {
		var message struct {
			Status, Content string
			Citations       []struct {
				DocumentID string `json:"document_id"`
			}
		}
		if err := api.CallInto(http.MethodGet, "/v1/messages/"+string(id[1]), api.Key, nil, &message); err != nil {
			return err
		}
		if message.Status != "completed" || message.Content == "" ||
			len(message.Citations) != 1 || message.Citations[0].DocumentID != document.ID {
			return fmt.Errorf("message is %+v", message)
		}
		return nil
	})
}
