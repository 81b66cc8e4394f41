package llm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
)

// imageTypes are the images that the Messages API takes.
var imageTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

type chatMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	ToolCalls  []chatToolCall  `json:"tool_calls"`
	ToolCallID string          `json:"tool_call_id"`
	Refusal    string          `json:"refusal"`
	// What clients send back with the answers of earlier turns. It says nothing to the model.
	Name, Annotations, Reasoning json.RawMessage
	ReasoningContent             json.RawMessage `json:"reasoning_content"`
	// Not translated, but often null in answers that are sent back.
	Audio        *json.RawMessage `json:"audio"`
	FunctionCall *json.RawMessage `json:"function_call"`
}

type chatPart struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Refusal  string `json:"refusal"`
	ImageURL struct {
		URL    string          `json:"url"`
		Detail json.RawMessage `json:"detail"`
	} `json:"image_url"`
}

type blocks = []anthropic.ContentBlockParamUnion

// addMessages translates the conversation. Instructions come before all turns, wherever they were, and turns
// of one role in a row become one: the Messages API wants the results of all tools in the turn after the calls.
func addMessages(params *anthropic.MessageNewParams, messages []json.RawMessage) error {
	for i, raw := range messages {
		at := fmt.Sprintf("messages[%d]", i)
		var message chatMessage
		if err := decodeStrictly(raw, &message, at); err != nil {
			return err
		}
		if message.Audio != nil || message.FunctionCall != nil {
			return rejected(at, at+": audio and function_call are not supported for this model.")
		}
		parts, err := contentBlocks(message.Content, at+".content")
		if err != nil {
			return err
		}
		switch message.Role {
		case "system", "developer":
			err = addSystem(params, parts, at)
		case "user":
			if len(parts) == 0 {
				return rejected(at+".content", at+".content must not be empty for this model.")
			}
			addTurn(params, anthropic.MessageParamRoleUser, parts)
		case "assistant":
			err = addAssistant(params, &message, parts, at)
		case "tool":
			err = addToolResult(params, message.ToolCallID, parts, at)
		default:
			err = unsupported(at, "role", message.Role)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addTurn(params *anthropic.MessageNewParams, role anthropic.MessageParamRole, parts blocks) {
	if last := len(params.Messages) - 1; last >= 0 && params.Messages[last].Role == role {
		params.Messages[last].Content = append(params.Messages[last].Content, parts...)
		return
	}
	params.Messages = append(params.Messages, anthropic.MessageParam{Role: role, Content: parts})
}

func addSystem(params *anthropic.MessageNewParams, parts blocks, at string) error {
	for _, part := range parts {
		if part.OfText == nil {
			return rejected(at+".content", at+": instructions must be text for this model.")
		}
		params.System = append(params.System, *part.OfText)
	}
	return nil
}

// addAssistant leaves out an answer in which nothing was said: the Messages API refuses it.
func addAssistant(params *anthropic.MessageNewParams, message *chatMessage, parts blocks, at string) error {
	if message.Refusal != "" {
		parts = append(parts, anthropic.NewTextBlock(message.Refusal))
	}
	for i, call := range message.ToolCalls {
		block, err := call.block(fmt.Sprintf("%s.tool_calls[%d]", at, i))
		if err != nil {
			return err
		}
		parts = append(parts, block)
	}
	if len(parts) > 0 {
		addTurn(params, anthropic.MessageParamRoleAssistant, parts)
	}
	return nil
}

func addToolResult(params *anthropic.MessageNewParams, id string, parts blocks, at string) error {
	result := anthropic.ToolResultBlockParam{ToolUseID: id}
	for _, part := range parts {
		if part.OfText == nil {
			return rejected(at+".content", at+": the result of a tool must be text for this model.")
		}
		text := anthropic.ToolResultBlockParamContentUnion{OfText: part.OfText}
		result.Content = append(result.Content, text)
	}
	addTurn(params, anthropic.MessageParamRoleUser, blocks{{OfToolResult: &result}})
	return nil
}

// contentBlocks translates a text or an array of parts. Empty texts are left out: the Messages API refuses
// them.
func contentBlocks(content json.RawMessage, at string) (blocks, error) {
	var text string
	if len(content) == 0 || json.Unmarshal(content, &text) == nil {
		if text == "" {
			return nil, nil
		}
		return blocks{anthropic.NewTextBlock(text)}, nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(content, &parts); err != nil {
		return nil, rejected(at, at+" must be a string or an array of parts.")
	}
	var all blocks
	for i, raw := range parts {
		var part chatPart
		at := fmt.Sprintf("%s[%d]", at, i)
		if err := decodeStrictly(raw, &part, at); err != nil {
			return nil, err
		}
		switch {
		case part.Type == "image_url":
			image, err := imageBlock(part.ImageURL.URL, at)
			if err != nil {
				return nil, err
			}
			all = append(all, image)
		case part.Type != "text" && part.Type != "refusal":
			return nil, unsupported(at, "type", part.Type)
		case part.Text+part.Refusal != "":
			all = append(all, anthropic.NewTextBlock(part.Text+part.Refusal))
		}
	}
	return all, nil
}

func imageBlock(url, at string) (anthropic.ContentBlockParamUnion, error) {
	if strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
		return anthropic.NewImageBlock(anthropic.URLImageSourceParam{URL: url}), nil
	}
	kind, data, found := strings.Cut(strings.TrimPrefix(url, "data:"), ";base64,")
	if !found || !slices.Contains(imageTypes, kind) {
		return anthropic.ContentBlockParamUnion{}, rejected(at, at+": image_url must be an http URL, or a data URL "+
			"in base64 of a JPEG, PNG, GIF or WebP image, for this model.")
	}
	return anthropic.NewImageBlockBase64(kind, data), nil
}
