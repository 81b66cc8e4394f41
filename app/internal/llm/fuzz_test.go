package llm

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"agentstack/app/agent"
)

// FuzzToMessages: any body is refused as the client's fault or becomes valid JSON for the Messages API.
func FuzzToMessages(f *testing.F) {
	for _, seed := range []string{
		`{` + hi + `,"temperature":1,"stop":"x"}`, `{"messages":[{"role":"tool","content":null}]}`, `[]`, `null`,
		`{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}]}`,
		`{"messages":[{"role":"user","content":[{"type":"image_url",
			"image_url":{"url":"data:image/png;base64,AA"}}]}]}`,
		`{"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"auto",` + hi + `}`,
		`{"response_format":{"type":"text"},"n":1.0,` + hi + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		params, err := toMessages(&agent.ChatRequest{Model: "m", Body: body})
		if err != nil {
			if kind(t, err) != agent.ModelRejected {
				t.Errorf("got %v", err)
			}
			return
		}
		if data, err := json.Marshal(params); err != nil || !json.Valid(data) {
			t.Errorf("%s becomes %s, %v", body, data, err)
		}
	})
}

// FuzzAnswer: any answer is refused as the server's fault or has a text that can be stored.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		wholeAnswer, `{"choices":[{"delta":{"content":"a\ud800"}}],"usage":{"prompt_tokens":-1}}`,
		`{"id":"m","type":"message","content":[{"type":"text","text":"x"},{"type":"tool_use","input":{"a":1}}]}`,
		`{"error":{"code":5}}`, `{"choices":`, `{"data":[{"index":0,"embedding":[1,2]}]}`, messageStart,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, failures := parseAnswer(data)
		answer, _, err := parseChunk(data)
		if err == nil && (!json.Valid(data) || !utf8.ValidString(answer.Text+answer.Model+answer.FinishReason)) {
			t.Errorf("%q becomes %+v", data, answer)
		}
		completion, notMessage := fromMessage(data)
		if notMessage == nil && !json.Valid(completion.Body) {
			t.Errorf("%q becomes %s", data, completion.Body)
		}
		_, notEmbeddings := parseEmbeddings(data, 1)
		for _, err := range []error{failures, err, notMessage, notEmbeddings} {
			if err != nil {
				kind(t, err)
			}
		}
	})
}

// FuzzStream: any bytes of a stream end in io.EOF or an error of the server, and what comes before is valid JSON.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		"data: " + wholeAnswer + "\n\ndata: [DONE]\n\n", "event: x\r\ndata: {}\r\n\r\n:c\n", "data",
		"data: {\ndata: }\n\ndata: [DONE]\n\n", "\xef\xbb\xbfdata: x\n\n",
		"data: " + strings.Join(strings.Fields(messageStart), " ") + "\n\ndata: {\"type\":\"message_stop\"}\n\n",
		"data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		open := func() *events {
			response := &http.Response{
				Header: http.Header{"Content-Type": {eventStream}}, Body: io.NopCloser(strings.NewReader(body)),
			}
			ctx, cancel := context.WithCancel(t.Context())
			events, err := newEvents(ctx, cancel, response)
			if err != nil {
				t.Fatal(err)
			}
			return events
		}
		for _, stream := range []agent.Stream{&openAIStream{events: open()}, &anthropicStream{events: open()}} {
			chunks, _, err := collect(t, stream)
			var failure *agent.ModelError
			if err != nil && !errors.As(err, &failure) {
				t.Errorf("got %v", err)
			}
			for _, chunk := range chunks {
				if !json.Valid(chunk.Data) {
					t.Errorf("chunk %q", chunk.Data)
				}
			}
		}
	})
}
