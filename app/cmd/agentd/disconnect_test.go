package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// testHostileBodies sends each route what it cannot take.
func testHostileBodies(t *testing.T, e *environment, owner signedUp) {
	messages := "/v1/sessions/" + owner.sessionOf(t, `{"name":"bodies","model":"mock"}`) + "/messages"
	numbers := strings.NewReplacer(`"hostile-mark"`, "1", `"t"`, "2", `"hostile-mark@example.com"`, "3")
	routes := map[string]string{ // and a valid body
		"/v1/embeddings": `{"model":"mock-embedding","input":"hostile-mark"}`,
		"/v1/agents":     `{"name":"hostile-mark","model":"mock"}`,
		"/v1/sessions":   `{"agent_id":"x","title":"hostile-mark"}`,
		messages:         `{"content":"hostile-mark"}`,
		"/v1/documents":  `{"title":"t","content":"hostile-mark"}`,
		"/v1/search":     `{"query":"hostile-mark"}`,
		"/v1/api-keys":   `{"name":"hostile-mark","scopes":["chat"]}`,
		"/v1/users":      `{"email":"hostile-mark@example.com","password":"0123456789012","role":"member"}`,
	}
	for path, valid := range routes {
		for name, body := range map[string]string{
			"empty":          "",
			"not JSON":       valid[:len(valid)-1],
			"trailing":       valid + "}",
			"array":          "[" + valid + "]",
			"null":           "null",
			"a number":       "1",
			"numbers":        numbers.Replace(valid),
			"invalid UTF-8":  strings.Replace(valid, "mark", "mark\xff", 1),
			"half character": strings.Replace(valid, "mark", "mark\xc3", 1),
			"deep":           strings.Repeat("[", 100_000),
		} {
			got := owner.do(t, http.MethodPost, path, body)
			if got.status != http.StatusUnprocessableEntity {
				refused(t, path+" "+name, got, http.StatusBadRequest, "")
			} else {
				refused(t, path+" "+name, got, http.StatusUnprocessableEntity, "")
			}
		}
	}
	for _, path := range []string{"/v1/documents", "/v1/embeddings", "/v1/agents"} {
		body := `{"title":"hostile-mark","content":"` + strings.Repeat("a", 50<<20) + `"}`
		large := owner.do(t, http.MethodPost, path, body)
		refused(t, path+" too large", large, http.StatusRequestEntityTooLarge, "request_too_large")
	}
	public := owner.server.do(t, http.MethodPost, "/v1/auth/login", `{"email":"`+strings.Repeat("a", 70<<10)+`"}`)
	refused(t, "login too large", public, http.StatusRequestEntityTooLarge, "request_too_large")
	for path, body := range map[string]string{
		"/v1/embeddings":       `{"model":"no-such","input":"hostile-mark"}`,
		"/v1/chat/completions": prompt("no-such", "x", false),
	} {
		refused(t, path, owner.do(t, http.MethodPost, path, body), http.StatusNotFound, "model_not_found")
	}
	made := owner.do(t, http.MethodPost, "/v1/agents", `{"name":"hostile-mark","model":"no-such"}`)
	refused(t, "agent", made, http.StatusUnprocessableEntity, "model_not_found")
	refused(t, "model", owner.do(t, http.MethodGet, "/v1/models/no-such", ""), http.StatusNotFound, "model_not_found")
	e.nothingOf(t, "hostile-mark")
}

// nothingOf reports where a text is stored, and how often it was sent to a model server.
func (e *environment) nothingOf(t *testing.T, text string) {
	t.Helper()
	if found := e.rowsWith(t, text); len(found) != 0 {
		t.Errorf("%q is in %v", text, found)
	}
	if sent := e.model.requestsWith(text); len(sent) != 0 {
		t.Errorf("%q was sent to the model server %d times", text, len(sent))
	}
}

// testHalfBodies ends connections after each of some lengths of a request.
func testHalfBodies(t *testing.T, e *environment, owner signedUp) {
	session := owner.sessionOf(t, `{"name":"half","model":"mock"}`)
	for path, body := range map[string]string{
		"/v1/documents":                         `{"title":"half-mark","content":"half-mark"}`,
		"/v1/sessions/" + session + "/messages": `{"content":"half-mark half-mark"}`,
		"/v1/chat/completions":                  prompt("m", "half-mark", true),
	} {
		request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nIdempotency-Key: half\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, owner.token, len(body), body)
		for end := 0; end < len(request); end += 1 + len(request)/40 {
			connection, err := net.Dial("tcp", strings.TrimPrefix(owner.server.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := connection.Write([]byte(request[:end])); err != nil {
				t.Errorf("send %d bytes: %v", end, err)
			}
			connection.Close()
		}
	}
	time.Sleep(500 * time.Millisecond) // nothing tells that the server has noticed
	e.nothingOf(t, "half-mark")
	// The key is free, though the requests had it.
	made := owner.server.do(t, http.MethodPost, "/v1/documents", `{"title":"whole","content":"whole"}`,
		"Authorization", "Bearer "+owner.token, "Idempotency-Key", "half")
	if made.status != http.StatusCreated {
		t.Errorf("the same key again: %d %s", made.status, made.body)
	}
}

// leave sends a request and goes away once the model server has a part of it.
func (e *environment) leave(t *testing.T, owner signedUp, path, body, mark string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, owner.server.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+owner.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", "leave")
	left := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(request)
		left <- err
	}()
	eventually(t, "the model server is called", func() bool { return len(e.model.requestsWith(mark)) > 0 })
	cancel()
	if err := <-left; err == nil {
		t.Errorf("%s was answered before its client left", path)
	}
}

// testLeavesQuestion: the answer of a session is stored whole, though nobody waits for it.
func testLeavesQuestion(t *testing.T, e *environment, owner signedUp) {
	session := owner.sessionOf(t, `{"name":"left","model":"mock-slow"}`)
	path := "/v1/sessions/" + session + "/messages"
	e.leave(t, owner, path, `{"content":"left-mark one two three"}`, "left-mark")
	var list struct{ Data []message }
	eventually(t, "the answer ends", func() bool {
		list = decode[struct{ Data []message }](t, owner.do(t, http.MethodGet, path, ""), http.StatusOK)
		return len(list.Data) == 2 && list.Data[0].Status != "in_progress"
	})
	if list.Data[0].Status != "completed" || list.Data[0].Content != "You said: left-mark one two three" {
		t.Errorf("answer: %+v", list.Data[0])
	}
	asked := owner.do(t, http.MethodPost, path, `{"content":"the next"}`)
	if asked.status != http.StatusCreated {
		t.Errorf("the next question: %d %s", asked.status, asked.body)
	}
}

// TestClientLeavesDocument: a document whose client leaves while it is embedded is stored in no part.
func TestClientLeavesDocument(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	silent := strings.Replace(catalog(e.model.URL),
		`"embeddingModel": "mock-embedding"`, `"embeddingModel": "mock-silent"`, 1)
	s := e.start(t, map[string]string{"MODELS": silent})
	owner := s.signUp(t, "leaves@example.com")
	e.leave(t, owner, "/v1/documents", `{"title":"left-document","content":"left-document"}`, "left-document")
	<-e.model.gone // its call ends too
	if found := e.rowsWith(t, "left-document"); len(found) != 0 {
		t.Errorf("the document is in %v", found)
	}
	eventually(t, "the idempotency key is free", func() bool { return len(e.rowsWith(t, "POST /v1/documents")) == 0 })
}
