package llm

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/anthropics/anthropic-sdk-go"

	"agentstack/app/agent"
)

// These are the parts of OpenAI's completions and chunks that are written.
type (
	chatAnswer struct {
		ID      string       `json:"id"`
		Object  string       `json:"object"`
		Created int64        `json:"created"`
		Model   string       `json:"model"`
		Choices []chatChoice `json:"choices"`
		Usage   *chatUsage   `json:"usage,omitempty"`
	}
	chatChoice struct {
		Index        int          `json:"index"`
		Message      *chatMade    `json:"message,omitempty"`
		Delta        *chatDelta   `json:"delta,omitempty"`
		Logprobs     *struct{}    `json:"logprobs"`
		FinishReason finishReason `json:"finish_reason"`
	}
	chatMade struct {
		Role      string         `json:"role"`
		Content   *string        `json:"content"`
		Refusal   *string        `json:"refusal"`
		ToolCalls []chatMadeCall `json:"tool_calls,omitempty"`
	}
	chatDelta struct {
		Role      string         `json:"role,omitempty"`
		Content   *string        `json:"content,omitempty"`
		ToolCalls []chatMadeCall `json:"tool_calls,omitempty"`
	}
	chatMadeCall struct {
		Index    *int     `json:"index,omitempty"`
		ID       string   `json:"id,omitempty"`
		Type     string   `json:"type,omitempty"`
		Function chatCall `json:"function"`
	}
	chatCall struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	}
	chatUsage struct {
		PromptTokens     int64            `json:"prompt_tokens"`
		CompletionTokens int64            `json:"completion_tokens"`
		TotalTokens      int64            `json:"total_tokens"`
		PromptDetails    chatPromptTokens `json:"prompt_tokens_details"`
	}
	chatPromptTokens struct {
		CachedTokens int64 `json:"cached_tokens"`
	}
)

// finishReason is null while an answer goes on.
type finishReason string

// MarshalJSON implements json.Marshaler.
func (r finishReason) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(r))
}

func toFinishReason(reason anthropic.StopReason) finishReason {
	switch reason {
	case anthropic.StopReasonMaxTokens, anthropic.StopReasonModelContextWindowExceeded:
		return "length"
	case anthropic.StopReasonToolUse:
		return "tool_calls"
	case anthropic.StopReasonRefusal:
		return "content_filter"
	case "":
		return ""
	default:
		return "stop"
	}
}

// toUsage counts all of the prompt, as OpenAI does; Anthropic counts its cached parts apart.
func toUsage(counts *anthropic.Usage) *chatUsage {
	prompt := counts.InputTokens + counts.CacheCreationInputTokens + counts.CacheReadInputTokens
	return &chatUsage{
		PromptTokens: prompt, CompletionTokens: counts.OutputTokens, TotalTokens: prompt + counts.OutputTokens,
		PromptDetails: chatPromptTokens{counts.CacheReadInputTokens},
	}
}

func (u *chatUsage) counted() *agent.Usage {
	return &agent.Usage{PromptTokens: int(u.PromptTokens), CompletionTokens: int(u.CompletionTokens)}
}

// fromMessage translates a whole answer.
func fromMessage(data []byte) (*agent.Completion, error) {
	var message anthropic.Message
	if err := json.Unmarshal(data, &message); err != nil || message.Type != "message" {
		return nil, protocolError("the answer is not the JSON of a message")
	}
	made := &chatMade{Role: "assistant"}
	text := ""
	for _, block := range message.Content {
		switch block.Type {
		case "text":
			text += block.Text
			made.Content = &text
		case "tool_use":
			made.ToolCalls = append(made.ToolCalls, chatMadeCall{
				ID: block.ID, Type: "function",
				Function: chatCall{Name: block.Name, Arguments: string(block.Input)},
			})
		}
	}
	usage := toUsage(&message.Usage)
	reason := toFinishReason(message.StopReason)
	body, err := json.Marshal(chatAnswer{
		ID: message.ID, Object: "chat.completion", Created: time.Now().Unix(), Model: message.Model,
		Choices: []chatChoice{{Message: made, FinishReason: reason}}, Usage: usage,
	})
	if err != nil {
		return nil, fmt.Errorf("encode completion: %w", err)
	}
	answer := agent.Answer{
		Model: message.Model, Text: text, FinishReason: string(reason), Usage: usage.counted(),
	}
	return &agent.Completion{Body: body, Answer: answer}, nil
}
