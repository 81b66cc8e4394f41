package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"agentstack/app/problem"
)

// ChatRequest is a chat completion request in OpenAI's shape.
type ChatRequest struct {
	ID string // request id, for logs and the stored exchange
	// TenantID is whose request it is. It never reads answers that were cached for another tenant.
	TenantID string
	KeyID    string // of the API key, or empty
	Model    string
	Stream   bool
	// IncludeUsage says that the client asked for a usage chunk at the end of its stream.
	IncludeUsage bool
	// MaxTokens bounds the answer; 0 leaves it to the model server.
	MaxTokens int
	Cache     CachePolicy
	// Body is the client's JSON object. Fields that this package does not know are part of it.
	Body json.RawMessage
}

// CachePolicy says how a request may use the response cache.
type CachePolicy struct {
	NoRead  bool // the client wants a fresh answer
	NoWrite bool // the answer must not be kept
}

// ParseChatRequest validates as much of the body as routing, limits and storage need and leaves the rest to
// the model server. Its errors are of type *problem.Error.
func ParseChatRequest(body []byte) (*ChatRequest, error) {
	fields, err := pick(body,
		"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens")
	if err != nil {
		return nil, err
	}
	request := &ChatRequest{Body: body}
	if request.Model, err = modelName(fields[0]); err != nil {
		return nil, err
	}
	if !isListOf(fields[1], isObject) {
		return nil, problem.InvalidField("messages", "You must provide messages: an array of objects.")
	}
	if request.Stream, err = optionalBool("stream", "stream", fields[2]); err != nil {
		return nil, err
	}
	if request.IncludeUsage, err = includeUsage(fields[3]); err != nil {
		return nil, err
	}
	limit, err := optionalCount("max_tokens", fields[4])
	if err != nil {
		return nil, err
	}
	if request.MaxTokens, err = optionalCount("max_completion_tokens", fields[5]); err != nil {
		return nil, err
	}
	if request.MaxTokens == 0 {
		request.MaxTokens = limit
	}
	return request, nil
}

func modelName(value []byte) (string, error) {
	var name string
	if err := json.Unmarshal(value, &name); err != nil || name == "" {
		return "", problem.InvalidField("model", "You must provide a model: a non-empty string.")
	}
	return name, nil
}

func includeUsage(options []byte) (bool, error) {
	if isNull(options) {
		return false, nil
	}
	if !isObject(options) {
		return false, problem.InvalidField("stream_options", "stream_options must be an object.")
	}
	fields, err := pickFrom(options, "include_usage")
	if err != nil {
		return false, err
	}
	return optionalBool("stream_options", "stream_options.include_usage", fields[0])
}

func optionalBool(param, name string, value []byte) (bool, error) {
	if isNull(value) || string(value) == "false" {
		return false, nil
	}
	if string(value) != "true" {
		return false, problem.InvalidField(param, name+" must be a boolean.")
	}
	return true, nil
}

func optionalCount(name string, value []byte) (int, error) {
	if isNull(value) {
		return 0, nil
	}
	var count int32
	if err := json.Unmarshal(value, &count); err != nil || count < 0 {
		return 0, problem.InvalidField(name, name+" must be a whole number of tokens.")
	}
	return int(count), nil
}

// defaultAnswerTokens is what an answer is taken to need when the client sets no limit.
const defaultAnswerTokens = 256

// EstimatedTokens is what the request may cost, to be reserved until the usage is known: a token for every
// four bytes of the body, plus the answer's limit or 256.
func (r *ChatRequest) EstimatedTokens() int64 {
	limit := r.MaxTokens
	if limit == 0 {
		limit = defaultAnswerTokens
	}
	return int64(len(r.Body)/4 + limit)
}

// CacheKey starts with the tenant. It is the same for requests of a tenant that differ only in white space
// and in the order of object keys.
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
	return r.TenantID + ":" + hex.EncodeToString(sum[:]), nil
}
