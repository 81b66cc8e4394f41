package llm

import (
	"testing"

	"github.com/tidwall/gjson"

	"agentstack/app/agent"
)

func TestOpenAIPassesThrough(t *testing.T) {
	u := startMock(t)
	p := NewOpenAI(u.options())
	body := `{ "x_new":{"b":[1,2.50,1e400],"a":null}, "model":"m", "messages":[{"role":"user","content":"x"}] }`
	if _, err := p.Complete(t.Context(), &agent.ChatRequest{Model: "m", Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	header, got := u.last()
	if got != body {
		t.Errorf("the model server got %s", got)
	}
	if header.Get("Authorization") != "Bearer secret-key" || header.Get("Content-Type") != "application/json" {
		t.Errorf("header: %v", header)
	}
	for name := range header {
		if len(name) > 11 && name[:11] == "X-Stainless" {
			t.Errorf("header %s is sent", name)
		}
	}
}

func TestOpenAIAsksForUsage(t *testing.T) {
	for name, body := range map[string]string{
		"none":    `{"messages":[],"stream":true,"x":{"y":1}}`,
		"null":    `{"stream_options":null,"x":{"y":1}}`,
		"false":   `{"stream_options":{"include_usage":false},"x":{"y":1}}`,
		"another": `{"stream_options":{"include_obfuscation":false},"x":{"y":1}}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := includeUsage([]byte(body))
			if err != nil || !gjson.ValidBytes(got) || !gjson.GetBytes(got, "stream_options.include_usage").Bool() ||
				gjson.GetBytes(got, "x").Raw != `{"y":1}` {
				t.Errorf("got %s, %v", got, err)
			}
			other := "stream_options.include_obfuscation"
			if gjson.GetBytes(got, other).Raw != gjson.Get(body, other).Raw {
				t.Errorf("%s is lost: %s", other, got)
			}
		})
	}
}

func TestOpenAIEmbed(t *testing.T) {
	u := startMock(t)
	p := NewOpenAI(u.options())
	body := `{"model":"mock","input":["a b","c"],"dimensions":8}`
	got, err := p.Embed(t.Context(), &agent.EmbeddingRequest{Model: "mock", Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	width := len(gjson.GetBytes(got.Body, "data.1.embedding").Array())
	if want := (agent.Usage{PromptTokens: 3}); width != 8 || *got.Usage != want {
		t.Errorf("width %d, usage %+v", width, got.Usage)
	}
	if _, sent := u.last(); sent != body {
		t.Errorf("the model server got %s", sent)
	}
	_, err = p.Embed(t.Context(), &agent.EmbeddingRequest{Model: "m", Body: []byte(`{"model":"m","input":""}`)})
	if kind(t, err) != agent.ModelRejected {
		t.Errorf("empty input: %v", err)
	}
}

func TestParseAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		json string
		want agent.Answer
	}{
		"parts": {`{"choices":[{"message":{"content":[{"a":1}]}}]}`, agent.Answer{Text: `[{"a":1}]`}},
		"null":  {`{"choices":[{"message":{"content":null},"finish_reason":null}]}`, agent.Answer{}},
		"second choice": {
			`{"choices":[{"index":1,"message":{"content":"b"}},{"message":{"content":"a"}}]}`, agent.Answer{Text: "a"}},
		"escapes":       {`{"choices":[{"message":{"content":"\u00e9\ud83d\ude00"}}]}`, agent.Answer{Text: "é😀"}},
		"surrogate":     {`{"choices":[{"message":{"content":"a\ud800b"}}]}`, agent.Answer{Text: "a\uFFFDb"}},
		"invalid UTF-8": {"{\"choices\":[{\"message\":{\"content\":\"a\xffb\"}}]}", agent.Answer{Text: "a\uFFFDb"}},
		"no choices":    {`{"model":"m","choices":[],"usage":null,"error":null}`, agent.Answer{Model: "m"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseAnswer([]byte(test.json)); err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}
