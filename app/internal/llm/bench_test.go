package llm

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"agentstack/app/agent"
)

const wholeAnswer = `{"id":"chatcmpl-2f9c","object":"chat.completion","created":1767225600,"model":"mock",` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"You said: hello there"},"logprobs":null,` +
	`"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":4,"total_tokens":6}}`

// canned answers without a network.
type canned string

func (c canned) Do(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(c)), Body: io.NopCloser(strings.NewReader(string(c))),
	}, nil
}

// BenchmarkOpenAIComplete is the cost of a whole answer besides the network.
func BenchmarkOpenAIComplete(b *testing.B) {
	options := Options{BaseURL: "http://localhost/v1", APIKey: "k", Timeout: time.Minute, Retries: 2}
	o := newOpenAI(options, canned(wholeAnswer))
	request := &agent.ChatRequest{
		Model: "mock", Body: []byte(`{"model":"mock","messages":[{"role":"user","content":"hello there"}]}`),
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Complete(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	chunk := []byte(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"mock",` +
		`"choices":[{"index":0,"delta":{"content":"hello "},"logprobs":null,"finish_reason":null}]}`)
	large := []byte(strings.Replace(wholeAnswer, "hello", strings.Repeat("hello ", 20_000), 1))
	for name, data := range map[string][]byte{"whole": []byte(wholeAnswer), "large": large, "chunk": chunk} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, _, err := parse(data, "message"); err != nil || !bytes.HasPrefix(data, []byte("{")) {
					b.Fatal(err)
				}
			}
		})
	}
}
