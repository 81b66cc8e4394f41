package mockllm

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// openAI is the dialect of chat completions.
type openAI struct{}

func (openAI) tool(request gjson.Result) string { return request.Get("tools.0.function.name").String() }

func (openAI) completion(dst []byte, a *answer) []byte {
	dst = append(a.head(dst, "chat.completion"), `[{"index":0,"message":{"role":"assistant","content":`...)
	if a.tool == "" {
		dst = gjson.AppendJSONString(dst, a.said)
	} else {
		dst = append(a.toolCall(append(dst, `null,"tool_calls":[`...)), `"arguments":`...)
		dst = append(gjson.AppendJSONString(dst, arguments), "}}]"...)
	}
	dst = append(dst, `},"logprobs":null,"finish_reason":"`+a.finishReason()+`"}],"usage":`...)
	return append(a.usage(dst), '}')
}

func (openAI) open(dst []byte, a *answer) []byte {
	dst = a.chunk(dst, `{"role":"assistant","content":""}`, "null")
	if a.tool == "" {
		return dst
	}
	call := a.toolCall([]byte(`{"tool_calls":[`))
	dst = a.chunk(dst, string(call)+`"arguments":""}}]}`, "null")
	piece := gjson.AppendJSONString([]byte(`{"tool_calls":[{"index":0,"function":{"arguments":`), arguments)
	return a.chunk(dst, string(piece)+`}}]}`, "null")
}

func (openAI) token(dst []byte, a *answer, token string) []byte {
	dst = a.delta(dst)
	dst = gjson.AppendJSONString(append(dst, `{"content":`...), token)
	return append(dst, "},\"logprobs\":null,\"finish_reason\":null}]}\n\n"...)
}

func (openAI) end(dst []byte, a *answer) []byte {
	dst = a.chunk(dst, "{}", `"`+a.finishReason()+`"`)
	if a.includeUsage {
		dst = a.head(append(dst, "data: "...), "chat.completion.chunk")
		dst = append(a.usage(append(dst, `[],"usage":`...)), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

func (openAI) errorEvent(dst []byte) []byte {
	dst = append(dst, `data: {"error":{"message":"The server had an error","type":"server_error",`...)
	return append(dst, "\"code\":null}}\n\n"...)
}

func (openAI) failure(f *fault) (int, []byte) {
	body := gjson.AppendJSONString([]byte(`{"error":{"message":`), f.message)
	body = append(body, `,"type":"`+f.kind+`","param":null,"code":`...)
	if f.code == "" {
		return f.status, append(body, "null}}"...)
	}
	return f.status, append(body, `"`+f.code+`"}}`...)
}

// head writes an answer up to its choices.
func (a *answer) head(dst []byte, object string) []byte {
	dst = append(dst, `{"id":"chatcmpl-`+a.key+`","object":"`+object+`","created":`+created+`,"model":`...)
	return append(gjson.AppendJSONString(dst, a.model), `,"choices":`...)
}

func (a *answer) delta(dst []byte) []byte {
	return append(a.head(append(dst, "data: "...), "chat.completion.chunk"), `[{"index":0,"delta":`...)
}

// chunk writes an event. delta and finishReason are JSON.
func (a *answer) chunk(dst []byte, delta, finishReason string) []byte {
	return append(a.delta(dst), delta+`,"logprobs":null,"finish_reason":`+finishReason+"}]}\n\n"...)
}

// toolCall writes a call up to its arguments.
func (a *answer) toolCall(dst []byte) []byte {
	dst = append(dst, `{"index":0,"id":"call_`+a.key+`","type":"function","function":{"name":`...)
	return append(gjson.AppendJSONString(dst, a.tool), ',')
}

func (a *answer) usage(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(a.promptTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(a.completionTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(a.promptTokens+a.completionTokens), 10)
	return append(dst, '}')
}

func (a *answer) finishReason() string {
	if a.tool != "" {
		return "tool_calls"
	}
	return "stop"
}
