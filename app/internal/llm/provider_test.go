package llm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"

	"agentstack/app/agent"
)

// TestComplete holds for both kinds of provider.
func TestComplete(t *testing.T) {
	for name, p := range startMock(t).providers() {
		t.Run(name, func(t *testing.T) {
			got, err := p.Complete(t.Context(), ask("mock", "hello <there> \"é\""))
			if err != nil {
				t.Fatal(err)
			}
			want := agent.Answer{Model: "mock", Text: `You said: hello <there> "é"`, FinishReason: "stop"}
			usage := *got.Answer.Usage
			got.Answer.Usage = nil
			if got.Answer != want || usage != (agent.Usage{PromptTokens: 3, CompletionTokens: 5}) {
				t.Errorf("got %+v, %+v", got.Answer, usage)
			}
			var read openai.ChatCompletion
			if err := json.Unmarshal(got.Body, &read); err != nil || read.Choices[0].Message.Content != want.Text ||
				read.Usage.TotalTokens != 8 || read.Object != "chat.completion" || read.Created == 0 || read.ID == "" {
				t.Errorf("the official library reads %+v, %v", read, err)
			}
		})
	}
}

// TestStream holds for both kinds of provider.
func TestStream(t *testing.T) {
	u := startMock(t)
	for name, p := range u.providers() {
		for _, usage := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				request := askStream("mock", "one two")
				if request.IncludeUsage = usage; usage {
					body, err := includeUsage(request.Body)
					if err != nil {
						t.Fatal(err)
					}
					request.Body = body
				}
				stream, err := p.Stream(t.Context(), request)
				if err != nil {
					t.Fatal(err)
				}
				chunks, text, err := collect(t, stream)
				if err != nil || text != "You said: one two" || len(chunks) != 7 {
					t.Fatalf("got %q in %d chunks, %v", text, len(chunks), err)
				}
				last, finish := chunks[6], chunks[5]
				counted := agent.Usage{PromptTokens: 2, CompletionTokens: 4}
				if last.Internal == usage || last.Delta.Usage == nil || *last.Delta.Usage != counted {
					t.Errorf("usage chunk: %+v, %+v", last, last.Delta.Usage)
				}
				if finish.Delta.FinishReason != "stop" || finish.Delta.Model != "mock" {
					t.Errorf("chunk before: %+v", finish)
				}
				var read openai.ChatCompletionAccumulator
				for _, chunk := range chunks {
					var part openai.ChatCompletionChunk
					if err := json.Unmarshal(chunk.Data, &part); err != nil || !read.AddChunk(part) {
						t.Fatalf("the official library refuses %s: %v", chunk.Data, err)
					}
				}
				if read.Choices[0].Message.Content != text || read.Usage.TotalTokens != 6 {
					t.Errorf("the official library reads %+v", read.ChatCompletion)
				}
			})
		}
	}
	if n := u.connections.Load(); n != 2 {
		t.Errorf("%d connections for 2 providers: streams do not give theirs back", n)
	}
}

func TestToolCalls(t *testing.T) {
	body := `{"model":"mock-tool","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function",
		"function":{"name":"get_weather","parameters":{"type":"object"}}}]}`
	for name, p := range startMock(t).providers() {
		t.Run(name, func(t *testing.T) {
			request := &agent.ChatRequest{Model: "mock-tool", Body: []byte(body)}
			whole, err := p.Complete(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			var read openai.ChatCompletion
			if err := json.Unmarshal(whole.Body, &read); err != nil {
				t.Fatal(err)
			}
			check := func(how string, choice openai.ChatCompletionChoice) {
				calls := choice.Message.ToolCalls
				if choice.FinishReason != "tool_calls" || len(calls) != 1 || calls[0].ID == "" ||
					calls[0].Type != "function" || calls[0].Function.Name != "get_weather" ||
					calls[0].Function.Arguments != `{"query":"weather"}` {
					t.Errorf("%s: %+v", how, choice)
				}
			}
			check("whole", read.Choices[0])
			request.Body = []byte(strings.Replace(body, "{", `{"stream":true,`, 1))
			stream, err := p.Stream(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			chunks, _, err := collect(t, stream)
			if err != nil {
				t.Fatal(err)
			}
			var sum openai.ChatCompletionAccumulator
			for _, chunk := range chunks {
				var part openai.ChatCompletionChunk
				if err := json.Unmarshal(chunk.Data, &part); err != nil || !sum.AddChunk(part) {
					t.Fatalf("the official library refuses %s: %v", chunk.Data, err)
				}
			}
			check("streamed", sum.Choices[0])
		})
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		model  string
		kind   agent.ModelErrorKind
		status int
	}{
		{"mock-unknown", agent.ModelRejected, 404},
		{"mock-unauthorized", agent.ModelUnauthorized, 401},
		{"mock-rate-limit", agent.ModelRateLimited, 429},
		{"mock-error", agent.ModelFailed, 500},
		{"mock-overloaded", agent.ModelFailed, 503},
		{"mock-truncate", agent.ModelUnreachable, 0},
	}
	for name, p := range startMock(t).providers() {
		for _, test := range tests {
			t.Run(name+" "+test.model, func(t *testing.T) {
				_, err := p.Complete(t.Context(), ask(test.model, "x"))
				var failure *agent.ModelError
				if !errors.As(err, &failure) || failure.Kind != test.kind {
					t.Fatalf("got %v, want %s", err, test.kind)
				}
				status := test.status
				if status == 503 && name == "anthropic" {
					status = 529
				}
				if failure.Status != status {
					t.Errorf("status %d, want %d", failure.Status, status)
				}
				if (failure.Status == 0) != (failure.Message == "") {
					t.Errorf("message %q", failure.Message)
				}
				if failure.Status == 429 && failure.RetryAfter != "1" {
					t.Errorf("Retry-After %q", failure.RetryAfter)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error tells the key: %v", err)
				}
				if test.status == 0 {
					return
				}
				if _, err := p.Stream(t.Context(), askStream(test.model, "x")); kind(t, err) != test.kind {
					t.Errorf("stream: %v, want %s", err, test.kind)
				}
			})
		}
	}
}

func TestBrokenStreams(t *testing.T) {
	tests := map[string]agent.ModelErrorKind{
		"mock-truncate":    agent.ModelProtocolError,
		"mock-error-event": agent.ModelFailed,
		"mock-hang":        agent.ModelTimeout,
	}
	u := startMock(t)
	options := u.options()
	options.Timeout = 300 * time.Millisecond
	for name, p := range map[string]Provider{"openai": NewOpenAI(options), "anthropic": NewAnthropic(options)} {
		for model, want := range tests {
			t.Run(name+" "+model, func(t *testing.T) {
				stream, err := p.Stream(t.Context(), askStream(model, "x"))
				if err != nil {
					t.Fatal(err)
				}
				_, text, err := collect(t, stream)
				if text != "You " || kind(t, err) != want {
					t.Errorf("got %q, then %v", text, err)
				}
			})
		}
		t.Run(name+" whole answer hangs", func(t *testing.T) {
			before := u.asked()
			if _, err := p.Complete(t.Context(), ask("mock-hang", "x")); kind(t, err) != agent.ModelTimeout {
				t.Errorf("got %v", err)
			}
			if n := u.asked() - before; n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// TestCancel ends the upstream call when the caller's context ends, before and after the first byte.
func TestCancel(t *testing.T) {
	gone := errors.New("client is gone")
	u := startMock(t)
	for name, p := range u.providers() {
		for _, model := range []string{"mock-hang", "mock-silent"} {
			t.Run(name+" "+model, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				asked, ended := u.asked(), u.ended.Load()
				result := make(chan error, 1)
				go func() {
					stream, err := p.Stream(ctx, askStream(model, "x"))
					if err == nil {
						_, _, err = collect(t, stream)
					}
					result <- err
				}()
				waitFor(t, "the upstream is asked", func() bool { return u.asked() > asked })
				cancel(gone)
				if err := <-result; !errors.Is(err, gone) {
					t.Errorf("got %v, want the context's cause", err)
				}
				waitFor(t, "the upstream call ends", func() bool { return u.ended.Load() > ended })
			})
		}
	}
}

func TestBadServers(t *testing.T) {
	answer := func(status int, header, value, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		want    agent.ModelErrorKind
	}{
		"not JSON":             {answer(200, "X", "", "hello"), agent.ModelProtocolError},
		"another object":       {answer(200, "X", "", `{"detail":"x"}`), agent.ModelProtocolError},
		"an array":             {answer(200, "X", "", `[]`), agent.ModelProtocolError},
		"too deep":             {answer(200, "X", "", strings.Repeat("[", 1<<20)), agent.ModelProtocolError},
		"too large":            {answer(200, "X", "", strings.Repeat(" ", maxCompletion+1)), agent.ModelProtocolError},
		"redirect":             {answer(307, "Location", "http://127.0.0.1:1/", ""), agent.ModelFailed},
		"error without JSON":   {answer(503, "X", "", "<html>"), agent.ModelFailed},
		"error as text":        {answer(400, "X", "", `{"error":"no"}`), agent.ModelRejected},
		"endless error":        {answer(500, "X", "", strings.Repeat("x", maxError*4)), agent.ModelFailed},
		"error in an answer":   {answer(200, "X", "", `{"error":{"message":"no","code":7}}`), agent.ModelFailed},
		"no content":           {answer(204, "X", "", ""), agent.ModelFailed},
		"error without a body": {answer(403, "X", "", ""), agent.ModelUnauthorized},
	}
	for name, test := range tests {
		u := start(t, test.handler)
		for api, p := range u.providers() {
			t.Run(api+" "+name, func(t *testing.T) {
				_, err := p.Complete(t.Context(), ask("m", "x"))
				want := test.want
				if api == "anthropic" && name == "error in an answer" {
					want = agent.ModelProtocolError
				}
				if kind(t, err) != want {
					t.Errorf("got %v, want %s", err, want)
				}
				stream, err := p.Stream(t.Context(), askStream("m", "x"))
				if err == nil {
					stream.Close()
					t.Fatal("a stream was opened")
				}
			})
		}
	}
}
