package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// hostileTexts mean something to PostgreSQL, to its full-text search, or to fmt.
var hostileTexts = []string{
	`'; DROP TABLE messages; --`, `' OR '1'='1`, `\'; SELECT pg_sleep(60); --`, `$1 $2`, `%s%n%d`,
	`"' & | ! <-> :* ( -or "`, `\`, `E'\x00'`, `{"$gt":""}`, "a\tb\nc", `a:b&!c`, `[1]'), ('x`,
}

// jsonOf encodes an object of texts given as names and values.
func jsonOf(t *testing.T, pairs ...string) string {
	t.Helper()
	object := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		object[pairs[i]] = pairs[i+1]
	}
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func testSQLInjection(t *testing.T, owner signedUp) {
	session := owner.sessionOf(t, `{"name":"injected","model":"mock"}`)
	for _, text := range hostileTexts {
		// Every kind of row gives the text back as it came.
		type stored struct{ ID, Title, Content string }
		made := owner.do(t, http.MethodPost, "/v1/documents", jsonOf(t, "title", "t", "content", text))
		document := decode[stored](t, made, http.StatusCreated)
		document = decode[stored](t, owner.do(t, http.MethodGet, "/v1/documents/"+document.ID, ""), http.StatusOK)
		asked := owner.do(t, http.MethodPost, "/v1/sessions/"+session+"/messages", jsonOf(t, "content", text))
		answered := decode[stored](t, asked, http.StatusCreated)
		if document.Content != text || answered.Content != "You said: "+text {
			t.Errorf("%q: document %q, answer %q", text, document.Content, answered.Content)
		}
		for _, mode := range []string{"vector", "text", "hybrid"} {
			got := owner.do(t, http.MethodPost, "/v1/search", jsonOf(t, "query", text, "mode", mode))
			if got.status != http.StatusOK {
				t.Errorf("search %s %q: %d %s", mode, text, got.status, got.body)
			}
		}
		in := url.PathEscape(text)
		for _, path := range []string{"agents/", "sessions/", "messages/", "documents/"} {
			got := owner.do(t, http.MethodGet, "/v1/"+path+in, "")
			refused(t, path+text, got, http.StatusNotFound, "not_found")
		}
		got := owner.do(t, http.MethodGet, "/v1/agents?after="+url.QueryEscape(text), "")
		refused(t, "after "+text, got, http.StatusBadRequest, "invalid_cursor")
		login := owner.server.do(t, http.MethodPost, "/v1/auth/login", jsonOf(t, "email", text, "password", text))
		if login.status < 400 || login.status >= 500 {
			t.Errorf("login as %q: %d %s", text, login.status, login.body)
		}
		named := owner.server.do(t, http.MethodPost, "/v1/agents",
			jsonOf(t, "name", "n", "model", "mock", "system_prompt", text),
			"Authorization", "Bearer "+owner.token, "Idempotency-Key", strings.Join(strings.Fields(text), "-"))
		if named.status != http.StatusCreated {
			t.Errorf("agent with %q: %d %s", text, named.status, named.body)
		}
	}
}

// testHeaderInjection sends what may end up in headers of an answer or of a request to the model server.
func testHeaderInjection(t *testing.T, owner signedUp) {
	const evil = "m\r\nX-Evil: yes\r\n\r\n"
	got := owner.do(t, http.MethodPost, "/v1/chat/completions", jsonOf(t, "model", evil, "messages", "x"))
	if got.status != http.StatusBadRequest || got.header.Get("X-Evil") != "" {
		t.Errorf("model: %d %v", got.status, got.header)
	}
	got = owner.do(t, http.MethodPost, "/v1/chat/completions", prompt("mock"+evil, "x", false))
	if got.status >= http.StatusInternalServerError || got.header.Get("X-Evil") != "" {
		t.Errorf("model: %d %s %v", got.status, got.body, got.header)
	}
	for name, header := range map[string]string{
		"request id":        "X-Request-Id: a\x01b",
		"encoded line end":  "X-Request-Id: a%0d%0aX-Evil: yes",
		"idempotency key":   "Idempotency-Key: a\tb",
		"two keys":          "Idempotency-Key: a\r\nIdempotency-Key: b",
		"trace":             "traceparent: 00-zz-zz-01",
		"cache control":     "Cache-Control: \x80\xff",
		"last event":        "Last-Event-ID: 1\x00",
		"two lengths":       "Content-Length: 1\r\nContent-Length: 2",
		"length and chunks": "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nno size",
		"lone line feed":    "X: a\nX-Evil: yes",
		"folded":            "X: a\r\n b: c",
		"no colon":          "X-Evil",
		"huge":              "X: " + strings.Repeat("a", 70<<10),
	} {
		status, answer := raw(t, owner, "POST /v1/agents HTTP/1.1", header, `{"name":"h","model":"no-such-model"}`)
		if status < 400 || status >= 500 || strings.Contains(answer, "X-Evil: yes") {
			t.Errorf("%s: %d\n%s", name, status, answer)
		}
	}
	for _, line := range []string{
		"GET /v1/agents/\x00 HTTP/1.1", "GET  HTTP/1.1", "GET /%zz HTTP/1.1", "G\xffT / HTTP/1.1",
		"GET /../../etc/passwd HTTP/1.1", "GET / HTTP/9.9", "\x16\x03\x01",
	} {
		if status, answer := raw(t, owner, line, "X: y", ""); status < 300 || status > 505 || status == 500 {
			t.Errorf("%q: %d\n%s", line, status, answer)
		}
	}
}

// raw sends bytes that no HTTP client would, and returns the answer.
func raw(t *testing.T, owner signedUp, line, header, body string) (status int, answer string) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(owner.server.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	if strings.HasPrefix(header, "Content-Length") {
		length = ""
	}
	_, err = fmt.Fprintf(connection, "%s\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\n%s%s\r\n\r\n%s", line, owner.token, length, header, body)
	if err != nil {
		t.Logf("send %q: %v", line, err) // the server need not read on
	}
	lines := bufio.NewScanner(connection)
	for lines.Scan() {
		if status == 0 {
			if _, err := fmt.Sscanf(lines.Text(), "HTTP/1.1 %d", &status); err != nil {
				t.Errorf("status line %q", lines.Text())
			}
		}
		answer += lines.Text() + "\n"
	}
	return status, answer
}

// sendLate begins a body that does not go on. The result waits for the answer, which takes the read timeout, a minute.
func (s *server) sendLate(t *testing.T, owner signedUp) func(*testing.T) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	_, err = fmt.Fprintf(connection, "POST /v1/agents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{", owner.token)
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) {
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		got := answer{response.StatusCode, response.Header, string(body), response.Close}
		refused(t, "late body", got, http.StatusRequestTimeout, "request_timeout")
		if !got.closes {
			t.Error("the connection stays open")
		}
	}
}
