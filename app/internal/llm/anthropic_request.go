package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/tidwall/gjson"

	"agentstack/app/agent"
)

// defaultMaxTokens bounds an answer when the client does not: the Messages API wants a bound.
const defaultMaxTokens = 4096

// chatParams are the fields of a chat completion request that can be translated.
type chatParams struct {
	Messages            []json.RawMessage `json:"messages"`
	MaxTokens           *int64            `json:"max_tokens"`
	MaxCompletionTokens *int64            `json:"max_completion_tokens"`
	Temperature         *float64          `json:"temperature"`
	TopP                *float64          `json:"top_p"`
	Stop                stopSequences     `json:"stop"`
	Tools               []chatTool        `json:"tools"`
	ToolChoice          json.RawMessage   `json:"tool_choice"`
	ParallelToolCalls   *bool             `json:"parallel_tool_calls"`
	User                string            `json:"user"`
}

// stopSequences are one string or several.
type stopSequences []string

func (s *stopSequences) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil && string(data) != "null" {
		*s = stopSequences{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(s))
}

// translated are the fields of chatParams, and those that the Messages call itself says.
var translated = []string{
	"messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "tools", "tool_choice",
	"parallel_tool_calls", "user", "model", "stream", "stream_options",
}

// hints change how an answer is made or accounted at OpenAI, not what may be in it. They are left out.
var hints = []string{
	"metadata", "store", "service_tier", "seed", "prediction", "prompt_cache_key", "prompt_cache_retention",
	"safety_identifier", "reasoning_effort", "verbosity",
}

// neutral are values that ask for what the Messages API does anyway.
var neutral = map[string][]string{
	"n":                 {"1"},
	"logprobs":          {"false"},
	"top_logprobs":      {"0"},
	"frequency_penalty": {"0", "0.0"},
	"presence_penalty":  {"0", "0.0"},
	"logit_bias":        {"{}"},
	"modalities":        {`["text"]`},
	"response_format":   {`{"type":"text"}`},
}

// toMessages translates a chat completion request.
func toMessages(request *agent.ChatRequest) (anthropic.MessageNewParams, error) {
	var none anthropic.MessageNewParams
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(request.Body, &fields); err != nil {
		return none, rejected("", "The request body is not a valid JSON object.")
	}
	if err := expressible(fields); err != nil {
		return none, err
	}
	var chat chatParams
	if err := json.Unmarshal(request.Body, &chat); err != nil {
		return none, rejectedType(err)
	}
	params := anthropic.MessageNewParams{
		Model: request.Model, MaxTokens: defaultMaxTokens, StopSequences: chat.Stop,
	}
	for _, limit := range []*int64{chat.MaxTokens, chat.MaxCompletionTokens} {
		if limit != nil {
			params.MaxTokens = *limit
		}
	}
	if chat.Temperature != nil {
		if *chat.Temperature > 1 {
			return none, rejected("temperature", "temperature must be at most 1 for this model.")
		}
		params.Temperature = anthropic.Float(*chat.Temperature)
	}
	if chat.TopP != nil {
		params.TopP = anthropic.Float(*chat.TopP)
	}
	if chat.User != "" {
		params.Metadata.UserID = anthropic.String(chat.User)
	}
	if err := addMessages(&params, chat.Messages); err != nil {
		return none, err
	}
	if err := addTools(&params, &chat); err != nil {
		return none, err
	}
	return params, nil
}

// expressible refuses fields that would be lost.
func expressible(fields map[string]json.RawMessage) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(translated, name) || slices.Contains(hints, name) {
			continue
		}
		value := gjson.ParseBytes(fields[name]).Get("@ugly").Raw
		if value == "null" || slices.Contains(neutral[name], value) {
			continue
		}
		if len(neutral[name]) > 0 {
			return rejected(name, fmt.Sprintf("%s can only be %s for this model.", name, neutral[name][0]))
		}
		return rejected(name, name+" is not supported for this model.")
	}
	return nil
}

// rejectedType names the field of a wrong type.
func rejectedType(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return rejected(wrong.Field, fmt.Sprintf("%s must not be a JSON %s.", wrong.Field, wrong.Value))
	}
	return rejected("", "The request body is not a chat completion request.")
}

// unsupported refuses the value of a field of the object at a place in the request.
func unsupported(at, field, value string) error {
	return rejected(at+"."+field, fmt.Sprintf("%s: the %s %q is not supported for this model.", at, field, value))
}

// decodeStrictly refuses fields that value does not have. at is the place in the request.
func decodeStrictly(data []byte, value any, at string) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(value)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return rejected(at, fmt.Sprintf("%s.%s must not be a JSON %s.", at, wrong.Field, wrong.Value))
	default:
		return rejected(at, fmt.Sprintf("%s is not supported for this model (%v).", at, err))
	}
}
