package mockllm

import (
	"net/http"
	"strconv"

	"github.com/tidwall/gjson"
)

// overloaded is Anthropic's own status.
const overloaded = 529

// anthropic is the dialect of messages.
type anthropic struct{}

func (anthropic) tool(request gjson.Result) string { return request.Get("tools.0.name").String() }

func (anthropic) completion(dst []byte, a *answer) []byte {
	dst = a.message(dst, "[")
	if a.tool == "" {
		dst = append(gjson.AppendJSONString(append(dst, `{"type":"text","text":`...), a.said), '}')
	} else {
		dst = append(a.toolUse(dst), arguments+"}"...)
	}
	dst = append(dst, `],"stop_reason":"`+a.stopReason()+`","stop_sequence":null,`...)
	return append(a.counts(dst, a.completionTokens), '}')
}

func (anthropic) open(dst []byte, a *answer) []byte {
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	dst = a.message(dst, "[]")
	dst = append(a.counts(append(dst, `,"stop_reason":null,"stop_sequence":null,`...), 1), "}}\n\n"...)
	if a.tool == "" {
		return event(dst, "content_block_start", `"index":0,"content_block":{"type":"text","text":""}`)
	}
	dst = event(dst, "content_block_start", `"index":0,"content_block":`+string(a.toolUse(nil))+"{}}")
	for _, piece := range []string{"", arguments[:9], arguments[9:]} {
		quoted := string(gjson.AppendJSONString(nil, piece))
		delta := `"index":0,"delta":{"type":"input_json_delta","partial_json":` + quoted + "}"
		dst = event(dst, "content_block_delta", delta)
	}
	return dst
}

func (anthropic) token(dst []byte, _ *answer, token string) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"...)
	dst = gjson.AppendJSONString(append(dst, `"delta":{"type":"text_delta","text":`...), token)
	return append(dst, "}}\n\n"...)
}

func (anthropic) end(dst []byte, a *answer) []byte {
	dst = event(dst, "content_block_stop", `"index":0`)
	dst = event(dst, "message_delta", `"delta":{"stop_reason":"`+a.stopReason()+`","stop_sequence":null},`+
		`"usage":{"output_tokens":`+strconv.Itoa(a.completionTokens)+"}")
	return append(dst, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}

func (anthropic) errorEvent(dst []byte) []byte {
	return event(dst, "error", `"error":{"type":"api_error","message":"The server had an error"}`)
}

func (anthropic) failure(f *fault) (int, []byte) {
	status, kind := f.status, "api_error"
	switch f.status {
	case http.StatusBadRequest:
		kind = "invalid_request_error"
	case http.StatusUnauthorized:
		kind = "authentication_error"
	case http.StatusNotFound:
		kind = "not_found_error"
	case http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case http.StatusServiceUnavailable:
		status, kind = overloaded, "overloaded_error"
	}
	body := gjson.AppendJSONString([]byte(`{"type":"error","error":{"type":"`+kind+`","message":`), f.message)
	return status, append(body, "}}"...)
}

// event writes an event. fields follow the type.
func event(dst []byte, name, fields string) []byte {
	return append(dst, "event: "+name+"\ndata: {\"type\":\""+name+"\","+fields+"}\n\n"...)
}

// message writes a message up to what follows its content.
func (a *answer) message(dst []byte, content string) []byte {
	dst = append(dst, `{"id":"msg_`+a.key+`","type":"message","role":"assistant","model":`...)
	return append(gjson.AppendJSONString(dst, a.model), `,"content":`+content...)
}

// toolUse writes a block up to its input.
func (a *answer) toolUse(dst []byte) []byte {
	dst = append(dst, `{"type":"tool_use","id":"toolu_`+a.key+`","name":`...)
	return append(gjson.AppendJSONString(dst, a.tool), `,"input":`...)
}

func (a *answer) counts(dst []byte, output int) []byte {
	dst = strconv.AppendInt(append(dst, `"usage":{"input_tokens":`...), int64(a.promptTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens":`...), int64(output), 10)
	return append(dst, '}')
}

func (a *answer) stopReason() string {
	if a.tool != "" {
		return "tool_use"
	}
	return "end_turn"
}
