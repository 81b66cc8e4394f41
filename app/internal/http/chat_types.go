package http

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// The types below describe OpenAI's API as far as this server looks at it. Bodies are passed on as bytes.

// ChatCompletionRequest is the body of POST /v1/chat/completions.
type ChatCompletionRequest struct {
	_                   struct{}       `additionalProperties:"true"`
	Model               string         `json:"model" minLength:"1" example:"gpt-4o-mini"`
	Messages            []ChatMessage  `json:"messages" minItems:"1" nullable:"false"`
	Stream              bool           `json:"stream,omitempty" doc:"Answer with server-sent events"`
	StreamOptions       *StreamOptions `json:"stream_options,omitempty"`
	MaxTokens           int            `json:"max_tokens,omitempty" minimum:"0"`
	MaxCompletionTokens int            `json:"max_completion_tokens,omitempty" minimum:"0"`
}

// StreamOptions are options of a streamed answer.
type StreamOptions struct {
	_            struct{} `additionalProperties:"true"`
	IncludeUsage bool     `json:"include_usage,omitempty" doc:"End with a chunk that has the usage"`
}

// ChatMessage is a message of a conversation.
type ChatMessage struct {
	_       struct{} `additionalProperties:"true"`
	Role    string   `json:"role" example:"user"`
	Content any      `json:"content,omitempty" example:"\"What is a pod?\"" doc:"A string or content parts"`
}

// ChatCompletion is a whole answer.
type ChatCompletion struct {
	_       struct{}     `additionalProperties:"true"`
	ID      string       `json:"id"`
	Object  string       `json:"object" example:"chat.completion"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []ChatChoice `json:"choices"`
	Usage   *ChatUsage   `json:"usage,omitempty"`
}

// ChatCompletionChunk is a piece of a streamed answer.
type ChatCompletionChunk struct {
	_       struct{}     `additionalProperties:"true"`
	ID      string       `json:"id"`
	Object  string       `json:"object" example:"chat.completion.chunk"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []ChatChoice `json:"choices"`
	Usage   *ChatUsage   `json:"usage,omitempty"`
}

// ChatChoice is one of the answers: whole, or what a chunk adds to it.
type ChatChoice struct {
	_            struct{}     `additionalProperties:"true"`
	Index        int          `json:"index"`
	Message      *ChatMessage `json:"message,omitempty" doc:"Of a whole answer"`
	Delta        *ChatMessage `json:"delta,omitempty" doc:"Of a chunk"`
	FinishReason *string      `json:"finish_reason" example:"stop"`
}

// ChatUsage counts tokens.
type ChatUsage struct {
	_                struct{} `additionalProperties:"true"`
	PromptTokens     int      `json:"prompt_tokens"`
	CompletionTokens int      `json:"completion_tokens,omitempty"`
	TotalTokens      int      `json:"total_tokens"`
}

// describeBodies puts the types of a raw operation's request and answer into the description.
func describeBodies[Request, Answer any](s *Server, operation *huma.Operation) {
	operation.RequestBody = &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{jsonMediaType: {Schema: schemaOf[Request](s)}},
	}
	operation.Responses = map[string]*huma.Response{"200": {
		Description: http.StatusText(http.StatusOK),
		Content:     map[string]*huma.MediaType{jsonMediaType: {Schema: schemaOf[Answer](s)}},
	}}
}

// streamOf describes server-sent events whose data is of a type, in the words of OpenAPI 3.2 as an extension.
func streamOf[Event any](s *Server) *huma.MediaType {
	return &huma.MediaType{
		Schema:     &huma.Schema{Type: huma.TypeString, Description: "Server-sent events"},
		Extensions: map[string]any{"x-event-data": schemaOf[Event](s)},
	}
}

func schemaOf[T any](s *Server) *huma.Schema {
	t := reflect.TypeFor[T]()
	return s.api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}
