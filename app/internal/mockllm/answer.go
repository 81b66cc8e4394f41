package mockllm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

type object = map[string]any

// answer is a scripted answer; a token is a word with the space after it.
type answer struct {
	id, model    string
	tokens       []string
	tool         string // name of the tool to call instead of saying something
	promptTokens int
	includeUsage bool
}

func newAnswer(request *chatRequest) *answer {
	a := &answer{model: request.Model, includeUsage: request.StreamOptions.IncludeUsage}
	hash := sha256.New()
	said := "Hello."
	for _, message := range request.Messages {
		content := text(message.Content)
		fmt.Fprintf(hash, "%s\x00%s\x00", message.Role, content)
		a.promptTokens += len(strings.Fields(content))
		if message.Role == "user" {
			said = "You said: " + content
		}
	}
	a.id = "chatcmpl-" + hex.EncodeToString(hash.Sum(nil))[:24]
	a.tokens = strings.SplitAfter(said, " ")
	if request.Model == "mock-tool" {
		a.tool, a.tokens = "lookup", nil
		if len(request.Tools) > 0 {
			a.tool = request.Tools[0].Function.Name
		}
	}
	return a
}

func (a *answer) completion() object {
	message := object{"role": "assistant", "content": strings.Join(a.tokens, "")}
	if a.tool != "" {
		message["content"], message["tool_calls"] = nil, a.toolCalls(`{"query":"weather"}`)
	}
	return object{
		"id": a.id, "object": "chat.completion", "created": created, "model": a.model,
		"choices": []object{{"index": 0, "message": message, "finish_reason": a.finishReason(), "logprobs": nil}},
		"usage":   a.usage(),
	}
}

func (a *answer) chunk(delta object, finishReason any) object {
	return object{
		"id": a.id, "object": "chat.completion.chunk", "created": created, "model": a.model,
		"choices": []object{{"index": 0, "delta": delta, "finish_reason": finishReason, "logprobs": nil}},
	}
}

func (a *answer) usageChunk() object {
	return object{
		"id": a.id, "object": "chat.completion.chunk", "created": created, "model": a.model,
		"choices": []object{}, "usage": a.usage(),
	}
}

func (a *answer) usage() object {
	completion := max(1, len(a.tokens))
	return object{
		"prompt_tokens":     a.promptTokens,
		"completion_tokens": completion,
		"total_tokens":      a.promptTokens + completion,
	}
}

func (a *answer) finishReason() string {
	if a.tool != "" {
		return "tool_calls"
	}
	return "stop"
}

func (a *answer) toolCalls(arguments string) []object {
	function := object{"name": a.tool, "arguments": arguments}
	return []object{{"index": 0, "id": "call_" + a.id[9:], "type": "function", "function": function}}
}

func models(w http.ResponseWriter, _ *http.Request) {
	var list []object
	for _, name := range slices.Sorted(maps.Keys(Behaviours)) {
		list = append(list, object{"id": name, "object": "model", "created": created, "owned_by": "mockllm"})
	}
	writeJSON(w, http.StatusOK, object{"object": "list", "data": list})
}

func writeError(w http.ResponseWriter, status int, kind, code, message string) {
	body := object{"message": message, "type": kind, "param": nil, "code": nil}
	if code != "" {
		body["code"] = code
	}
	writeJSON(w, status, object{"error": body})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // an error means that the client is gone
}
