// Package llm calls model servers that speak OpenAI's chat completions API.
package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"agentstack/app/agent"
)

// maxCompletion bounds the size of an answer that is read as a whole, in bytes.
const maxCompletion = 50 << 20

// OpenAI is an agent.Model behind an OpenAI-compatible API. It passes the client's JSON on, with fields that
// nobody here knows, so a library of typed requests does not serve it. It does not try again: official clients do, and
// both together would multiply the load on a server that is already in trouble.
type OpenAI struct {
	client  *http.Client
	url     string
	apiKey  string
	timeout time.Duration
}

// Options tell where the model server is.
type Options struct {
	BaseURL string        // up to and including the version, as in https://api.openai.com/v1
	APIKey  string        // empty for servers that need none
	Timeout time.Duration // for a whole answer
}

// NewOpenAI returns a client of the model server.
func NewOpenAI(options Options) *OpenAI {
	return &OpenAI{
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
				ForceAttemptHTTP2:   true,
				MaxIdleConnsPerHost: 256,
				IdleConnTimeout:     90 * time.Second,
				TLSHandshakeTimeout: 10 * time.Second,
			},
			// A redirect would carry prompts and the key to a server that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		url:     strings.TrimRight(options.BaseURL, "/") + "/chat/completions",
		apiKey:  options.APIKey,
		timeout: options.Timeout,
	}
}

// Complete implements agent.Model.
func (o *OpenAI) Complete(ctx context.Context, request *agent.ChatRequest) (*agent.Completion, error) {
	callCtx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	response, err := o.post(callCtx, request.Body, "application/json")
	if err != nil {
		return nil, classify(ctx, callCtx, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxCompletion+1))
	if err != nil {
		return nil, classify(ctx, callCtx, err)
	}
	if len(body) > maxCompletion {
		return nil, protocolError("the answer is larger than 50 MiB")
	}
	answer, err := parseAnswer(body)
	if err != nil {
		return nil, err
	}
	return &agent.Completion{Body: body, Answer: answer}, nil
}

// Stream implements agent.Model. The usage chunk is always asked for, because tokens must be accounted.
func (o *OpenAI) Stream(ctx context.Context, request *agent.ChatRequest) (agent.Stream, error) {
	body := request.Body
	if !request.IncludeUsage {
		var err error
		if body, err = includeUsage(body); err != nil {
			return nil, err
		}
	}
	callCtx, cancel := context.WithTimeout(ctx, o.timeout)
	response, err := o.post(callCtx, body, "text/event-stream")
	if err != nil {
		defer cancel()
		return nil, classify(ctx, callCtx, err)
	}
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != "text/event-stream" {
		defer cancel()
		return nil, errors.Join(protocolError("the answer is not an event stream"), response.Body.Close())
	}
	return newStream(ctx, callCtx, cancel, response.Body, !request.IncludeUsage), nil
}

// post returns a response of status 200, or an error.
func (o *OpenAI) post(ctx context.Context, body []byte, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", accept)
	if o.apiKey != "" {
		request.Header.Set("Authorization", "Bearer "+o.apiKey)
	}
	response, err := o.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(answeredError(response), response.Body.Close())
	}
	return response, nil
}

// includeUsage sets stream_options.include_usage and keeps every other field.
func includeUsage(body []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("decode request: %w", err)
	}
	options := map[string]json.RawMessage{}
	if raw, ok := fields["stream_options"]; ok && string(raw) != "null" {
		if err := json.Unmarshal(raw, &options); err != nil {
			return nil, fmt.Errorf("decode stream_options: %w", err)
		}
	}
	options["include_usage"] = json.RawMessage("true")
	raw, err := json.Marshal(options)
	if err != nil {
		return nil, fmt.Errorf("encode stream_options: %w", err)
	}
	fields["stream_options"] = raw
	return json.Marshal(fields)
}
