package llm

import (
	"encoding/json"
	"errors"
	"testing"

	"agentstack/app/agent"
)

const hi = `"messages":[{"role":"user","content":"hi"}]`

// said is what hi becomes, with the fields that every request has.
const said = `"model":"m","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`

func TestAnthropicRequest(t *testing.T) {
	tool := `"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object",
		"properties":{"a":{"type":"number","minimum":1.50}},"$defs":{},"additionalProperties":false},"strict":true}}]`
	toolWant := `"tools":[{"name":"f","description":"d","strict":true,"input_schema":{"type":"object",
		"properties":{"a":{"type":"number","minimum":1.50}},"$defs":{},"additionalProperties":false}}]`
	type translation struct{ chat, want string }
	choose := func(chat, want string) translation {
		return translation{`{` + tool + `,` + chat + `,` + hi + `}`,
			`{` + toolWant + `,"tool_choice":` + want + `,` + said + `}`}
	}
	tests := map[string]translation{
		"plain": {`{` + hi + `}`, `{` + said + `}`},
		"settings": {`{"max_tokens":9,"temperature":0.5,"top_p":0.25,"stop":["a","b"],"user":"u1",` + hi + `}`,
			`{"model":"m","max_tokens":9,"temperature":0.5,"top_p":0.25,"stop_sequences":["a","b"],
			"metadata":{"user_id":"u1"},
			"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`},
		"zeros are settings": {`{"temperature":0,"top_p":0,` + hi + `}`, `{"temperature":0,"top_p":0,` + said + `}`},
		"the newer limit wins": {`{"max_completion_tokens":7,"max_tokens":9,` + hi + `}`,
			`{"model":"m","max_tokens":7,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`},
		"one stop": {`{"stop":"END",` + hi + `}`, `{"stop_sequences":["END"],` + said + `}`},
		"nothing said with nulls, hints and neutral values": {`{"n":1,"logprobs":false,"top_logprobs":null,"stop":null,
			"frequency_penalty":0,"presence_penalty":0.0,"logit_bias":{},"response_format":{ "type": "text" },
			"modalities":["text"],"seed":7,"metadata":{"a":"b"},"store":true,"audio":null,"tools":null,
			"tool_choice":null,"reasoning_effort":"low","service_tier":"auto",
			"stream_options":{"include_usage":true},` + hi + `}`, `{` + said + `}`},
		"tools": {`{` + tool + `,` + hi + `}`, `{` + toolWant + `,` + said + `}`},
		"tool without parameters": {`{"tools":[{"type":"function","function":{"name":"f"}}],` + hi + `}`,
			`{"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],` + said + `}`},
		"tool choice none":     choose(`"tool_choice":"none"`, `{"type":"none"}`),
		"tool choice auto":     choose(`"tool_choice":"auto"`, `{"type":"auto"}`),
		"tool choice required": choose(`"tool_choice":"required"`, `{"type":"any"}`),
		"tool choice function": choose(
			`"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false`,
			`{"type":"tool","name":"f","disable_parallel_tool_use":true}`),
		"one tool at a time": choose(`"parallel_tool_calls":false`,
			`{"type":"auto","disable_parallel_tool_use":true}`),
		"instructions": {`{"messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"},
			{"role":"developer","content":[{"type":"text","text":"b"},{"type":"text","text":""}]}]}`,
			`{"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],` + said + `}`},
		"images": {`{"messages":[{"role":"user","content":[{"type":"text","text":"see"},
			{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
			{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`,
			`{"model":"m","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"see"},
			{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
			{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]}]}`},
		"a conversation with tools": {`{"messages":[{"role":"user","content":"q"},
			{"role":"assistant","content":"let me see","refusal":null,"annotations":[],"audio":null,"tool_calls":[
				{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"n\": 1.50, \"s\":\"<é>\"}"}},
				{"id":"c2","type":"function","index":1,"function":{"name":"g","arguments":""}}]},
			{"role":"tool","tool_call_id":"c1","content":"r1"},
			{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"r2"}]},
			{"role":"tool","tool_call_id":"c3","content":""},{"role":"user","content":"and?","name":"joe"},
			{"role":"assistant","content":""},{"role":"assistant","content":null,"refusal":"no"}]}`,
			`{"model":"m","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},
			{"role":"assistant","content":[{"type":"text","text":"let me see"},
				{"type":"tool_use","id":"c1","name":"f","input":{"n":1.50,"s":"<é>"}},
				{"type":"tool_use","id":"c2","name":"g","input":{}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"r1"}]},
				{"type":"tool_result","tool_use_id":"c2","content":[{"type":"text","text":"r2"}]},
				{"type":"tool_result","tool_use_id":"c3"},{"type":"text","text":"and?"}]},
			{"role":"assistant","content":[{"type":"text","text":"no"}]}]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			params, err := toMessages(&agent.ChatRequest{Model: "m", Body: []byte(test.chat)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(params)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, got, test.want)
		})
	}
}

func TestAnthropicRefuses(t *testing.T) {
	message := func(message string) string { return `{"messages":[` + message + `]}` }
	part := func(role, part string) string { return message(`{"role":"` + role + `","content":[` + part + `]}`) }
	image := func(url string) string { return `{"type":"image_url","image_url":{"url":"` + url + `"}}` }
	tests := map[string]struct{ chat, param string }{
		"several answers":     {`{"n":2,` + hi + `}`, "n"},
		"logprobs":            {`{"logprobs":true,` + hi + `}`, "logprobs"},
		"JSON schema":         {`{"response_format":{"type":"json_schema"},` + hi + `}`, "response_format"},
		"JSON object":         {`{"response_format":{"type":"json_object"},` + hi + `}`, "response_format"},
		"audio":               {`{"audio":{"voice":"x"},` + hi + `}`, "audio"},
		"modalities":          {`{"modalities":["text","audio"],` + hi + `}`, "modalities"},
		"penalty":             {`{"presence_penalty":0.5,` + hi + `}`, "presence_penalty"},
		"bias":                {`{"logit_bias":{"1":5},` + hi + `}`, "logit_bias"},
		"functions":           {`{"functions":[],` + hi + `}`, "functions"},
		"unknown":             {`{"x_new":1,` + hi + `}`, "x_new"},
		"too hot":             {`{"temperature":1.5,` + hi + `}`, "temperature"},
		"type of temperature": {`{"temperature":"hot",` + hi + `}`, "temperature"},
		"type of max_tokens":  {`{"max_tokens":1.5,` + hi + `}`, "max_tokens"},
		"type of stop":        {`{"stop":5,` + hi + `}`, "stop"},
		"type of messages":    {`{"messages":{}}`, "messages"},
		"custom tool":         {`{"tools":[{"type":"custom","custom":{}}],` + hi + `}`, "tools[0].type"},
		"parameters": {`{"tools":[{"type":"function","function":{"parameters":[]}}],` + hi + `}`,
			"tools[0].function.parameters"},
		"tool choice":       {`{"tool_choice":"maybe",` + hi + `}`, "tool_choice"},
		"allowed tools":     {`{"tool_choice":{"type":"allowed_tools"},` + hi + `}`, "tool_choice"},
		"role":              {message(`{"role":"function","content":"x"}`), "messages[0].role"},
		"message field":     {message(`{"role":"user","content":"x","x_new":1}`), "messages[0]"},
		"empty question":    {message(`{"role":"user","content":""}`), "messages[0].content"},
		"content":           {message(`{"role":"user","content":5}`), "messages[0].content"},
		"audio part":        {part("user", `{"type":"input_audio","input_audio":{}}`), "messages[0].content[0]"},
		"file part":         {part("user", `{"type":"file"}`), "messages[0].content[0].type"},
		"image":             {part("user", image("data:image/tiff;base64,A")), "messages[0].content[0]"},
		"image in a result": {part("tool", image("https://x/y")), "messages[0].content"},
		"image in a system": {part("system", image("https://x/y")), "messages[0].content"},
		"function call":     {message(`{"role":"assistant","function_call":{"name":"f"}}`), "messages[0]"},
		"arguments": {message(`{"role":"assistant","tool_calls":[{"function":{"arguments":"[1]"}}]}`),
			"messages[0].tool_calls[0].function.arguments"},
		"custom call": {message(`{"role":"assistant","tool_calls":[{"id":"c","type":"custom"}]}`),
			"messages[0].tool_calls[0].type"},
		"no object": {`[]`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := toMessages(&agent.ChatRequest{Model: "m", Body: []byte(test.chat)})
			var failure *agent.ModelError
			if !errors.As(err, &failure) || failure.Kind != agent.ModelRejected || failure.Status != 400 {
				t.Fatalf("got %+v", err)
			}
			if failure.Param != test.param || failure.Message == "" {
				t.Errorf("param %q, want %q: %s", failure.Param, test.param, failure.Message)
			}
		})
	}
	_, err := NewAnthropic(Options{}).Embed(t.Context(), &agent.EmbeddingRequest{})
	if kind(t, err) != agent.ModelRejected {
		t.Errorf("embeddings: %v", err)
	}
}
