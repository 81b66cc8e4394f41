package agent

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"agentstack/app/problem"
)

func TestParseChatRequest(t *testing.T) {
	const rest = `"messages":[{"role":"user"}]`
	const start = `{"model":"m",` + rest + `,`
	deep := `"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`
	for name, test := range map[string]struct{ body, param, code string }{
		"minimal":            {body: `{"model":"m",` + rest + `}`},
		"white space":        {body: " {\n\t\"model\" : \"m\" , " + rest + " }\r\n"},
		"escaped key":        {body: `{"mod\u0065l":"m",` + rest + `}`},
		"quotes in strings":  {body: `{"x":"\\\"}{\\","model":"m","messages":[ {"a":"]\""} , {} ]}`},
		"nulls":              {body: start + `"stream":null,"stream_options":null,"max_tokens":null}`},
		"nested model":       {body: `{"x":{"model":1},"y":[{"model":2}],"model":"m",` + rest + `}`},
		"empty":              {code: "invalid_body"},
		"truncated":          {body: `{"model":"m",` + rest, code: "invalid_body"},
		"trailing data":      {body: `{"model":"m",` + rest + `}{}`, code: "invalid_body"},
		"array":              {body: `[]`, code: "invalid_body"},
		"null":               {body: `null`, code: "invalid_body"},
		"invalid UTF-8":      {body: "{\"model\":\"\xff\"," + rest + `}`, code: "invalid_body"},
		"too deep":           {body: start + deep, code: "invalid_body"},
		"no model":           {body: `{` + rest + `}`, param: "model"},
		"empty model":        {body: `{"model":"",` + rest + `}`, param: "model"},
		"model of any case":  {body: `{"Model":"m",` + rest + `}`, param: "model"},
		"model number":       {body: `{"model":1,` + rest + `}`, param: "model"},
		"two models":         {body: start + `"model":"n"}`, param: "model"},
		"null, then a model": {body: `{"model":null,` + rest + `,"model":"n"}`, param: "model"},
		"no messages":        {body: `{"model":"m"}`, param: "messages"},
		"empty messages":     {body: `{"model":"m","messages":[ ]}`, param: "messages"},
		"message string":     {body: `{"model":"m","messages":[{},"hi"]}`, param: "messages"},
		"message null":       {body: `{"model":"m","messages":[null]}`, param: "messages"},
		"messages object":    {body: `{"model":"m","messages":{}}`, param: "messages"},
		"stream number":      {body: start + `"stream":1}`, param: "stream"},
		"options boolean":    {body: start + `"stream_options":true}`, param: "stream_options"},
		"usage string":       {body: start + `"stream_options":{"include_usage":"x"}}`, param: "stream_options"},
		"negative limit":     {body: start + `"max_tokens":-1}`, param: "max_tokens"},
		"huge limit":         {body: start + `"max_completion_tokens":1e18}`, param: "max_completion_tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := ParseChatRequest([]byte(test.body))
			if test.param == "" && test.code == "" {
				if err != nil || request.Model != "m" {
					t.Fatalf("got %+v, %v", request, err)
				}
				return
			}
			checkProblem(t, err, problem.Invalid, test.code, test.param)
		})
	}
}

// checkProblem compares an error with a problem. An empty code leaves it open.
func checkProblem(t *testing.T, err error, kind problem.Kind, code, param string) {
	t.Helper()
	var got *problem.Error
	if !errors.As(err, &got) || got.Kind != kind || got.Param != param || code != "" && got.Code != code {
		t.Errorf("got %#v, want a problem: %s, code %q, field %q", err, kind, code, param)
	}
}

func TestChatRequestFields(t *testing.T) {
	body := `{"model":"m","messages":[{}],"stream":true,"stream_options":{"include_usage":true},` +
		`"max_tokens":7,"max_completion_tokens":9}`
	request, err := ParseChatRequest([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if !request.Stream || !request.IncludeUsage || request.MaxTokens != 9 {
		t.Errorf("got %+v", request)
	}
	if got, want := request.EstimatedTokens(), int64(len(body)/4+9); got != want {
		t.Errorf("estimated %d tokens, want %d", got, want)
	}
	if got := (&ChatRequest{Body: make([]byte, 400)}).EstimatedTokens(); got != 100+256 {
		t.Errorf("without a limit: estimated %d tokens, want 356", got)
	}
}

func TestCacheKey(t *testing.T) {
	key := func(tenant, body string) string {
		key, err := (&ChatRequest{TenantID: tenant, Body: []byte(body)}).CacheKey()
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if !strings.HasPrefix(key, tenant+":") {
			t.Errorf("key %s does not start with the tenant", key)
		}
		return key
	}
	const user = `"messages":[{"role":"user"},{}]`
	const body = `{"model":"m",` + user + `,"seed":12345678901234567890}`
	base := key("a", body)
	if key("b", body) == base {
		t.Error("two tenants share a key")
	}
	for name, test := range map[string]struct {
		body string
		same bool
	}{
		"order and space":  {`{ "seed":12345678901234567890,"messages":[{"role":"user"}, {}], "model":"m"}`, true},
		"escaped":          {`{"model":"\u006d",` + user + `,"seed":12345678901234567890}`, true},
		"last digit":       {`{"model":"m",` + user + `,"seed":12345678901234567891}`, false},
		"content":          {`{"model":"m","messages":[{"role":"tool"},{}],"seed":12345678901234567890}`, false},
		"unknown field":    {`{"model":"m",` + user + `,"seed":12345678901234567890,"x":1}`, false},
		"order of a list":  {`{"model":"m","messages":[{},{"role":"user"}],"seed":12345678901234567890}`, false},
		"number as string": {`{"model":"m",` + user + `,"seed":"12345678901234567890"}`, false},
	} {
		if same := key("a", test.body) == base; same != test.same {
			t.Errorf("%s: same key %t, want %t", name, same, test.same)
		}
	}
}

func TestParseEmbeddingRequest(t *testing.T) {
	for name, test := range map[string]struct {
		input string
		valid bool
	}{
		"string":          {`"hi"`, true},
		"strings":         {`["hi", "there"]`, true},
		"tokens":          {`[1, 20]`, true},
		"arrays of token": {`[[1],[2,3]]`, true},
		"empty string":    {`""`, false},
		"empty array":     {`[]`, false},
		"empty element":   {`["hi",""]`, false},
		"empty tokens":    {`[[]]`, false},
		"mixed":           {`["hi",1]`, false},
		"fraction":        {`[1.5]`, false},
		"negative":        {`[-1]`, false},
		"object":          {`{}`, false},
		"null":            {`null`, false},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := ParseEmbeddingRequest([]byte(`{"model":"m","input":` + test.input + `}`))
			if test.valid {
				if err != nil || request.Model != "m" {
					t.Fatalf("got %+v, %v", request, err)
				}
				return
			}
			checkProblem(t, err, problem.Invalid, "", "input")
		})
	}
	_, err := ParseEmbeddingRequest([]byte(`{"input":"x"}`))
	checkProblem(t, err, problem.Invalid, "", "model")
}

func FuzzParseChatRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`))
	f.Add([]byte(`{"model":"m","messages":[{}],"stream_options":{"include_usage":null},"x":1e999}`))
	f.Add([]byte(`{ "mod\u0065l" : "\"" , "messages":[ { } , {"a":[[],{}]} ] , "max_tokens" : 12 }`))
	f.Add([]byte(`[null]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := ParseChatRequest(body)
		if err != nil {
			var refused *problem.Error
			if !errors.As(err, &refused) {
				t.Fatalf("not a problem: %v", err)
			}
			return
		}
		var want struct {
			fields   map[string]json.RawMessage
			model    string
			messages []map[string]any
			stream   *bool
		}
		if err := json.Unmarshal(body, &want.fields); err != nil {
			t.Fatalf("accepted, but encoding/json says: %v", err)
		}
		if err := json.Unmarshal(want.fields["model"], &want.model); err != nil || want.model != request.Model {
			t.Errorf("model %q, want %q (%v)", request.Model, want.model, err)
		}
		if err := json.Unmarshal(want.fields["messages"], &want.messages); err != nil || len(want.messages) == 0 {
			t.Errorf("accepted with messages %s", want.fields["messages"])
		}
		if raw := want.fields["stream"]; raw != nil {
			if err := json.Unmarshal(raw, &want.stream); err != nil || request.Stream != (string(raw) == "true") {
				t.Errorf("stream %t of %s", request.Stream, raw)
			}
		}
		if _, err := request.CacheKey(); err != nil {
			t.Errorf("accepted, but has no cache key: %v", err)
		}
	})
}

func BenchmarkParseChatRequest(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "64KiB": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			text := strings.Repeat("The quick brown fox said: \\\"jump\\\" over. ", size/41)
			body := []byte(`{"model":"gpt-4o-mini","messages":[{"role":"system","content":"Be brief."},` +
				`{"role":"user","content":"` + text + `"}],"temperature":0.2,"max_tokens":100,"stream":false}`)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseChatRequest(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
