package mockllm

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// events writes server-sent events until the first error.
type events struct {
	w   http.ResponseWriter
	err error
}

func (e *events) send(value any) {
	data, err := json.Marshal(value)
	if e.err == nil {
		e.err = err
	}
	e.raw(string(data))
}

func (e *events) raw(data string) {
	if e.err != nil {
		return
	}
	if _, e.err = fmt.Fprintf(e.w, "data: %s\n\n", data); e.err == nil {
		e.err = http.NewResponseController(e.w).Flush()
	}
}

func stream(w http.ResponseWriter, r *http.Request, a *answer) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := &events{w: w}
	out.send(a.chunk(object{"role": "assistant", "content": ""}, nil))
	if a.tool != "" {
		out.send(a.chunk(object{"tool_calls": a.toolCalls("")}, nil))
		arguments := object{"index": 0, "function": object{"arguments": `{"query":"weather"}`}}
		out.send(a.chunk(object{"tool_calls": []object{arguments}}, nil))
	}
	for i, token := range a.tokens {
		out.send(a.chunk(object{"content": token}, nil))
		if i == 0 && brokenOff(r, a, out) {
			return
		}
		if a.model == "mock-slow" {
			pause(r, slowPause)
		}
	}
	out.send(a.chunk(object{}, a.finishReason()))
	if a.includeUsage {
		out.send(a.usageChunk())
	}
	out.raw("[DONE]")
}

// brokenOff ends the stream of models that stop after the first token.
func brokenOff(r *http.Request, a *answer, out *events) bool {
	switch a.model {
	case "mock-error-event":
		out.send(object{"error": object{"message": "The server had an error", "type": "server_error", "code": nil}})
	case "mock-truncate":
	case "mock-hang":
		<-r.Context().Done()
	default:
		return false
	}
	return true
}
