package llm

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"agentstack/app/agent"
)

// OpenAI is a Provider behind an OpenAI-compatible API. It passes the client's JSON on as bytes, and the answer
// back, with fields that neither this program nor the SDK knows.
type OpenAI struct {
	chat       openai.ChatCompletionService
	embeddings openai.EmbeddingService
}

// NewOpenAI returns a client of the model server.
func NewOpenAI(options Options) *OpenAI {
	return newOpenAI(options, newDoer(options))
}

func newOpenAI(options Options, doer option.HTTPClient) *OpenAI {
	settings := []option.RequestOption{
		option.WithBaseURL(strings.TrimRight(options.BaseURL, "/") + "/"),
		option.WithAPIKey(options.APIKey),
		option.WithRequestTimeout(options.Timeout),
		option.WithMaxRetries(options.Retries),
		option.WithHTTPClient(doer),
	}
	return &OpenAI{
		chat:       openai.NewChatCompletionService(settings...),
		embeddings: openai.NewEmbeddingService(settings...),
	}
}

// Complete implements agent.Model.
func (o *OpenAI) Complete(ctx context.Context, request *agent.ChatRequest) (*agent.Completion, error) {
	response, err := o.post(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	body, err := readAnswer(ctx, response)
	if err != nil {
		return nil, err
	}
	answer, err := parseAnswer(body)
	if err != nil {
		return nil, err
	}
	return &agent.Completion{Body: body, Answer: answer}, nil
}

// Stream implements agent.Model. The usage chunk is always asked for, because tokens must be accounted.
func (o *OpenAI) Stream(ctx context.Context, request *agent.ChatRequest) (agent.Stream, error) {
	body := []byte(request.Body)
	if !request.IncludeUsage {
		var err error
		if body, err = includeUsage(body); err != nil {
			return nil, err
		}
	}
	streamCtx, cancel := context.WithCancel(ctx)
	response, err := o.post(streamCtx, body, option.WithHeader("Accept", eventStream))
	if err != nil {
		cancel()
		return nil, err
	}
	events, err := newEvents(ctx, cancel, response)
	if err != nil {
		return nil, err
	}
	return &openAIStream{events: events, hiddenUsage: !request.IncludeUsage}, nil
}

// Embed implements agent.EmbeddingModel.
func (o *OpenAI) Embed(ctx context.Context, request *agent.EmbeddingRequest) (*agent.EmbeddingAnswer, error) {
	var response *http.Response
	_, err := o.embeddings.New(ctx, openai.EmbeddingNewParams{},
		option.WithRequestBody("application/json", []byte(request.Body)), option.WithResponseBodyInto(&response))
	if response, err = checked(ctx, response, err); err != nil {
		return nil, err
	}
	body, err := readAnswer(ctx, response)
	if err != nil {
		return nil, err
	}
	if !valid(body) || !gjson.GetBytes(body, "data").IsArray() {
		return nil, protocolError("the answer is not the JSON of embeddings")
	}
	return &agent.EmbeddingAnswer{Body: body, Usage: parseUsage(gjson.GetBytes(body, "usage"))}, nil
}

func (o *OpenAI) post(
	ctx context.Context, body []byte, options ...option.RequestOption,
) (*http.Response, error) {
	var response *http.Response
	options = append(options,
		option.WithRequestBody("application/json", body), option.WithResponseBodyInto(&response))
	_, err := o.chat.New(ctx, openai.ChatCompletionNewParams{}, options...)
	return checked(ctx, response, err)
}

// includeUsage sets stream_options.include_usage and keeps every other field.
func includeUsage(body []byte) ([]byte, error) {
	path, value := "stream_options.include_usage", "true"
	if !gjson.GetBytes(body, "stream_options").IsObject() {
		path, value = "stream_options", `{"include_usage":true}`
	}
	body, err := sjson.SetRawBytes(body, path, []byte(value))
	if err != nil {
		return nil, fmt.Errorf("set stream_options: %w", err)
	}
	return body, nil
}
