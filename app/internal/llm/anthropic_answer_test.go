package llm

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"agentstack/app/agent"
)

func TestAnthropicAnswer(t *testing.T) {
	silent := `{"role":"assistant","content":null,"refusal":null}`
	tests := map[string]struct{ content, reason, message, finish, text string }{
		"text": {`[{"type":"text","text":"a"},{"type":"text","text":"b"}]`, "end_turn",
			`{"role":"assistant","content":"ab","refusal":null}`, "stop", "ab"},
		"nothing":       {`[]`, "end_turn", silent, "stop", ""},
		"stop sequence": {`[]`, "stop_sequence", silent, "stop", ""},
		"too long":      {`[]`, "max_tokens", silent, "length", ""},
		"context full":  {`[]`, "model_context_window_exceeded", silent, "length", ""},
		"refused":       {`[]`, "refusal", silent, "content_filter", ""},
		"tools": {`[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"a"},
			{"type":"tool_use","id":"c1","name":"f","input":{"n":1.50}},
			{"type":"tool_use","id":"c2","name":"g","input":{}}]`, "tool_use",
			`{"role":"assistant","content":"a","refusal":null,"tool_calls":[
				{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"n\":1.50}"}},
				{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]}`, "tool_calls", "a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := fromMessage([]byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-x",
				"content":` + test.content + `,"stop_reason":"` + test.reason + `","stop_sequence":null,
				"usage":{"input_tokens":5,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,
				"output_tokens":3}}`))
			if err != nil {
				t.Fatal(err)
			}
			body, err := sjson.SetBytes(got.Body, "created", 0)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, body, `{"id":"msg_1","object":"chat.completion","created":0,"model":"claude-x",
				"choices":[{"index":0,"message":`+test.message+`,"logprobs":null,
				"finish_reason":"`+test.finish+`"}],"usage":{"prompt_tokens":115,"completion_tokens":3,
				"total_tokens":118,"prompt_tokens_details":{"cached_tokens":100}}}`)
			usage := got.Answer.Usage
			got.Answer.Usage = nil
			want := agent.Answer{Model: "claude-x", Text: test.text, FinishReason: test.finish}
			if got.Answer != want || *usage != (agent.Usage{PromptTokens: 115, CompletionTokens: 3}) {
				t.Errorf("got %+v, %+v", got.Answer, usage)
			}
		})
	}
}

const messageStart = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",
	"model":"claude-x","content":[],"stop_reason":null,
	"usage":{"input_tokens":7,"cache_read_input_tokens":2,"output_tokens":1}}}`

// streamed sends events of Anthropic's and returns the chunks as JSON, without id, time and model.
func streamed(t testing.TB, events ...string) ([]agent.Chunk, []string, error) {
	t.Helper()
	u := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for _, event := range events {
			_, _ = w.Write([]byte("event: x\ndata: " + strings.Join(strings.Fields(event), " ") + "\n\n"))
		}
	}))
	stream, err := NewAnthropic(u.options()).Stream(t.Context(), askStream("m", "x"))
	if err != nil {
		t.Fatal(err)
	}
	chunks, _, err := collect(t, stream)
	var texts []string
	for _, chunk := range chunks {
		data := gjson.ParseBytes(chunk.Data)
		if data.Get("object").String() != "chat.completion.chunk" || data.Get("id").String() != "msg_1" ||
			data.Get("model").String() != "claude-x" || data.Get("created").Int() == 0 {
			t.Errorf("chunk %s", data.Raw)
		}
		texts = append(texts, data.Get("choices").Raw+data.Get("usage").Raw)
	}
	return chunks, texts, err
}

func TestAnthropicStream(t *testing.T) {
	chunks, got, err := streamed(t, messageStart, `{"type":"ping"}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"thinking","thinking":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"c1","name":"f","input":{}}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"n\":"}}`,
		`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}`,
		`{"type":"content_block_stop","index":2}`,
		`{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"c2","name":"g","input":{}}}`,
		`{"type":"content_block_stop","index":3}`,
		`{"type":"event_of_the_future","x":[1]}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}`,
		`{"type":"message_stop"}`)
	if err != nil {
		t.Fatal(err)
	}
	choice := func(delta, finish string) string {
		return `[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}]`
	}
	call := func(rest string) string { return choice(`{"tool_calls":[{"index":`+rest+`}]}`, "null") }
	want := []string{
		choice(`{"role":"assistant","content":""}`, "null"),
		choice(`{"content":"a"}`, "null"),
		call(`0,"id":"c1","type":"function","function":{"name":"f","arguments":""}`),
		call(`0,"function":{"arguments":"{\"n\":"}`),
		call(`0,"function":{"arguments":"1}"}`),
		call(`1,"id":"c2","type":"function","function":{"name":"g","arguments":""}`),
		call(`1,"function":{"arguments":"{}"}`),
		choice(`{}`, `"tool_calls"`),
		`[]{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":2}}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	last, usage := chunks[len(chunks)-1], agent.Usage{PromptTokens: 9, CompletionTokens: 9}
	if !last.Internal || *last.Delta.Usage != usage {
		t.Errorf("usage chunk %+v", last)
	}
}

func TestAnthropicStreamErrors(t *testing.T) {
	failure := func(kind string) string { return `{"type":"error","error":{"type":"` + kind + `","message":"m"}}` }
	for name, test := range map[string]struct {
		event string
		want  agent.ModelErrorKind
	}{
		"overloaded":      {failure("overloaded_error"), agent.ModelFailed},
		"rate limit":      {failure("rate_limit_error"), agent.ModelRateLimited},
		"invalid request": {failure("invalid_request_error"), agent.ModelRejected},
		"our key":         {failure("authentication_error"), agent.ModelUnauthorized},
		"timeout":         {failure("timeout_error"), agent.ModelTimeout},
		"not JSON":        {`{"type":`, agent.ModelProtocolError},
		"end":             {`{"type":"ping"}`, agent.ModelProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			_, chunks, err := streamed(t, messageStart, test.event)
			if kind(t, err) != test.want || len(chunks) != 1 {
				t.Errorf("got %v after %d chunks", err, len(chunks))
			}
		})
	}
}
