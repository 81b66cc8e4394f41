package llm

import (
	"context"
	"net/http"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"agentstack/app/agent"
)

// Anthropic is a Provider behind Anthropic's Messages API. Requests and answers are translated from and to
// OpenAI's chat completions. What the Messages API cannot express is refused: a ModelError of the kind
// ModelRejected.
type Anthropic struct {
	messages anthropic.MessageService
}

// NewAnthropic returns a client of the model server.
func NewAnthropic(options Options) *Anthropic {
	return newAnthropic(options, newDoer(options))
}

func newAnthropic(options Options, doer option.HTTPClient) *Anthropic {
	// The SDK adds the version to the path on its own.
	base := strings.TrimSuffix(strings.TrimRight(options.BaseURL, "/"), "/v1") + "/"
	return &Anthropic{
		messages: anthropic.NewMessageService(
			option.WithBaseURL(base),
			option.WithAPIKey(options.APIKey),
			option.WithRequestTimeout(options.Timeout),
			option.WithMaxRetries(options.Retries),
			option.WithHTTPClient(doer),
		),
	}
}

// Complete implements agent.Model.
func (a *Anthropic) Complete(ctx context.Context, request *agent.ChatRequest) (*agent.Completion, error) {
	params, err := toMessages(request)
	if err != nil {
		return nil, err
	}
	var response *http.Response
	_, err = a.messages.New(ctx, params, option.WithResponseBodyInto(&response))
	if response, err = checked(ctx, response, err); err != nil {
		return nil, err
	}
	body, err := readAnswer(ctx, response)
	if err != nil {
		return nil, err
	}
	return fromMessage(body)
}

// Stream implements agent.Model.
func (a *Anthropic) Stream(ctx context.Context, request *agent.ChatRequest) (agent.Stream, error) {
	params, err := toMessages(request)
	if err != nil {
		return nil, err
	}
	streamCtx, cancel := context.WithCancel(ctx)
	var response *http.Response
	err = a.messages.NewStreaming(streamCtx, params,
		option.WithHeader("Accept", eventStream), option.WithResponseBodyInto(&response)).Err()
	if response, err = checked(ctx, response, err); err != nil {
		cancel()
		return nil, err
	}
	events, err := newEvents(ctx, cancel, response)
	if err != nil {
		return nil, err
	}
	return &anthropicStream{events: events, hiddenUsage: !request.IncludeUsage}, nil
}

// Embed refuses: Anthropic has no embeddings.
func (a *Anthropic) Embed(context.Context, *agent.EmbeddingRequest) (*agent.EmbeddingAnswer, error) {
	return nil, rejected("model", "This model has no embeddings.")
}

func rejected(param, message string) *agent.ModelError {
	return &agent.ModelError{
		Kind: agent.ModelRejected, Status: http.StatusBadRequest, Param: param, Message: message,
		Type: "invalid_request_error",
	}
}
