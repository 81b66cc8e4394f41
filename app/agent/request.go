package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// ChatRequest is a chat completion request in OpenAI's shape.
type ChatRequest struct {
	ID     string // request id, for logs and the stored exchange
	Model  string
	Stream bool
	// IncludeUsage says that the client asked for a usage chunk at the end of its stream.
	IncludeUsage bool
	Cache        CachePolicy
	// Body is the client's JSON object. Fields that this package does not know are part of it.
	Body json.RawMessage
}

// CachePolicy says how a request may use the response cache.
type CachePolicy struct {
	NoRead  bool // the client wants a fresh answer
	NoWrite bool // the answer must not be kept
}

// ParseChatRequest validates as much of the body as routing and storage need and leaves the rest to the
// model server. Its errors are of type *RequestError.
func ParseChatRequest(body []byte) (*ChatRequest, error) {
	if !utf8.Valid(body) {
		return nil, &RequestError{Message: "The request body is not valid UTF-8."}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return nil, &RequestError{Message: "The request body is not a valid JSON object."}
	}
	request := &ChatRequest{Body: body}
	if err := json.Unmarshal(fields["model"], &request.Model); err != nil || request.Model == "" {
		return nil, &RequestError{Param: "model", Message: "You must provide a model: a non-empty string."}
	}
	var messages []map[string]any
	if err := json.Unmarshal(fields["messages"], &messages); err != nil || len(messages) == 0 {
		return nil, &RequestError{Param: "messages", Message: "You must provide messages: an array of objects."}
	}
	if err := optional(fields, "stream", &request.Stream); err != nil {
		return nil, &RequestError{Param: "stream", Message: "stream must be a boolean."}
	}
	var options map[string]json.RawMessage
	if err := optional(fields, "stream_options", &options); err != nil {
		return nil, &RequestError{Param: "stream_options", Message: "stream_options must be an object."}
	}
	if err := optional(options, "include_usage", &request.IncludeUsage); err != nil {
		return nil, &RequestError{Param: "stream_options", Message: "stream_options.include_usage must be a boolean."}
	}
	return request, nil
}

func optional(fields map[string]json.RawMessage, name string, target any) error {
	raw, ok := fields[name]
	if !ok {
		return nil
	}
	return json.Unmarshal(raw, target)
}

// CacheKey is the same for requests that differ only in white space and in the order of object keys.
func (r *ChatRequest) CacheKey() (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", fmt.Errorf("canonicalise request: %w", err)
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("canonicalise request: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}
