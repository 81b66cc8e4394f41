package llm

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/tidwall/gjson"

	"agentstack/app/agent"
)

// anthropicStream turns the events of a message into chunks.
type anthropicStream struct {
	*events
	hiddenUsage bool

	id, model string
	created   int64
	counts    anthropic.Usage
	calls     int  // tool calls begun so far
	inCall    bool // the current block is a tool call
	argued    bool // the current tool call has arguments
	ended     bool // what follows the usage chunk is the end
}

// Next implements agent.Stream.
func (s *anthropicStream) Next() (agent.Chunk, error) {
	for {
		if s.ended {
			s.complete = true
			return agent.Chunk{}, io.EOF
		}
		data, err := s.next()
		if err != nil {
			return agent.Chunk{}, err
		}
		chunk, err := s.translate(data)
		if err != nil || chunk.Data != nil {
			return chunk, err
		}
	}
}

// translate returns a chunk without data for an event that has no counterpart.
func (s *anthropicStream) translate(data []byte) (agent.Chunk, error) {
	var event anthropic.MessageStreamEventUnion
	if !valid(data) || json.Unmarshal(data, &event) != nil {
		return agent.Chunk{}, protocolError("an event of the stream is not JSON")
	}
	switch event.Type {
	case "message_start":
		s.id, s.model, s.counts = event.Message.ID, event.Message.Model, event.Message.Usage
		s.created = time.Now().Unix()
		return s.delta(chatDelta{Role: "assistant", Content: new(string)}, "")
	case "content_block_start":
		return s.startBlock(event.ContentBlock)
	case "content_block_delta":
		return s.addToBlock(event.Delta)
	case "content_block_stop":
		return s.stopBlock()
	case "message_delta":
		s.count(event.Usage)
		return s.delta(chatDelta{}, toFinishReason(event.Delta.StopReason))
	case "message_stop":
		s.ended = true
		return s.usageChunk()
	case "error":
		return agent.Chunk{}, eventError(gjson.GetBytes(data, "error"))
	default:
		return agent.Chunk{}, nil
	}
}

func (s *anthropicStream) startBlock(
	block anthropic.ContentBlockStartEventContentBlockUnion,
) (agent.Chunk, error) {
	s.inCall, s.argued = block.Type == "tool_use", false
	switch {
	case s.inCall:
		index := s.calls
		s.calls++
		return s.delta(chatDelta{ToolCalls: []chatMadeCall{
			{Index: &index, ID: block.ID, Type: "function", Function: chatCall{Name: block.Name}},
		}}, "")
	case block.Text != "":
		return s.delta(chatDelta{Content: &block.Text}, "")
	}
	return agent.Chunk{}, nil
}

func (s *anthropicStream) addToBlock(delta anthropic.MessageStreamEventUnionDelta) (agent.Chunk, error) {
	switch {
	case delta.Type == "text_delta" && delta.Text != "":
		return s.delta(chatDelta{Content: &delta.Text}, "")
	case delta.Type == "input_json_delta" && delta.PartialJSON != "":
		return s.arguments(delta.PartialJSON)
	}
	return agent.Chunk{}, nil
}

// stopBlock completes the arguments of a tool that takes none: clients parse them as JSON.
func (s *anthropicStream) stopBlock() (agent.Chunk, error) {
	if s.inCall && !s.argued {
		return s.arguments("{}")
	}
	return agent.Chunk{}, nil
}

func (s *anthropicStream) arguments(piece string) (agent.Chunk, error) {
	s.argued = true
	index := max(0, s.calls-1)
	call := chatMadeCall{Index: &index, Function: chatCall{Arguments: piece}}
	return s.delta(chatDelta{ToolCalls: []chatMadeCall{call}}, "")
}

// count takes over totals. Older servers repeat only those of the answer.
func (s *anthropicStream) count(usage anthropic.MessageDeltaUsage) {
	s.counts.InputTokens = max(s.counts.InputTokens, usage.InputTokens)
	s.counts.CacheCreationInputTokens = max(s.counts.CacheCreationInputTokens, usage.CacheCreationInputTokens)
	s.counts.CacheReadInputTokens = max(s.counts.CacheReadInputTokens, usage.CacheReadInputTokens)
	s.counts.OutputTokens = max(s.counts.OutputTokens, usage.OutputTokens)
}

func (s *anthropicStream) delta(delta chatDelta, reason finishReason) (agent.Chunk, error) {
	said := agent.Answer{Model: s.model, FinishReason: string(reason)}
	if delta.Content != nil {
		said.Text = *delta.Content
	}
	return s.chunk(said, nil, chatChoice{Delta: &delta, FinishReason: reason})
}

func (s *anthropicStream) usageChunk() (agent.Chunk, error) {
	usage := toUsage(&s.counts)
	chunk, err := s.chunk(agent.Answer{Model: s.model, Usage: usage.counted()}, usage)
	chunk.Internal = s.hiddenUsage
	return chunk, err
}

func (s *anthropicStream) chunk(
	said agent.Answer, usage *chatUsage, choices ...chatChoice,
) (agent.Chunk, error) {
	data, err := json.Marshal(chatAnswer{
		ID: s.id, Object: "chat.completion.chunk", Created: s.created, Model: s.model,
		Choices: append([]chatChoice{}, choices...), Usage: usage,
	})
	if err != nil {
		return agent.Chunk{}, fmt.Errorf("encode chunk: %w", err)
	}
	return agent.Chunk{Data: data, Delta: said}, nil
}

// eventError reads an error that came in the stream. Its type says what the status would have said; see
// https://docs.anthropic.com/en/api/errors.
func eventError(value gjson.Result) *agent.ModelError {
	failure := newAPIError(value).modelError(0)
	switch failure.Type {
	case "invalid_request_error", "not_found_error", "request_too_large":
		failure.Kind = agent.ModelRejected
	case "authentication_error", "permission_error", "billing_error":
		failure.Kind = agent.ModelUnauthorized
	case "rate_limit_error":
		failure.Kind = agent.ModelRateLimited
	case "timeout_error":
		failure.Kind = agent.ModelTimeout
	}
	return failure
}
