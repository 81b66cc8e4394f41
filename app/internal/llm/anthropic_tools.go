package llm

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/param"
)

type chatTool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
		Strict      *bool           `json:"strict"`
	} `json:"function"`
}

type chatToolCall struct {
	Index    json.RawMessage `json:"index"` // left over by clients that put streamed pieces together
	ID       string          `json:"id"`
	Type     string          `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

func (c *chatToolCall) block(at string) (anthropic.ContentBlockParamUnion, error) {
	if c.Type != "function" && c.Type != "" {
		return anthropic.ContentBlockParamUnion{}, unsupported(at, "type", c.Type)
	}
	input := json.RawMessage(c.Function.Arguments)
	if c.Function.Arguments == "" {
		input = json.RawMessage("{}")
	}
	if !isObject(input) {
		return anthropic.ContentBlockParamUnion{},
			rejected(at+".function.arguments", at+".function.arguments must be a JSON object for this model.")
	}
	return anthropic.NewToolUseBlock(c.ID, input, c.Function.Name), nil
}

func addTools(params *anthropic.MessageNewParams, chat *chatParams) error {
	for i, tool := range chat.Tools {
		at := fmt.Sprintf("tools[%d]", i)
		if tool.Type != "function" {
			return unsupported(at, "type", tool.Type)
		}
		schema := tool.Function.Parameters
		if len(schema) == 0 || string(schema) == "null" {
			schema = json.RawMessage(`{"type":"object","properties":{}}`)
		}
		if !isObject(schema) {
			return rejected(at+".function.parameters", at+".function.parameters must be a JSON object.")
		}
		translated := anthropic.ToolParam{
			Name:        tool.Function.Name,
			InputSchema: param.Override[anthropic.ToolInputSchemaParam](schema),
		}
		if tool.Function.Description != "" {
			translated.Description = anthropic.String(tool.Function.Description)
		}
		if tool.Function.Strict != nil && *tool.Function.Strict {
			translated.Strict = anthropic.Bool(true)
		}
		params.Tools = append(params.Tools, anthropic.ToolUnionParam{OfTool: &translated})
	}
	return addToolChoice(params, chat)
}

func addToolChoice(params *anthropic.MessageNewParams, chat *chatParams) error {
	var choice string
	var named struct {
		Type     string `json:"type"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	switch {
	case len(chat.ToolChoice) == 0:
	case json.Unmarshal(chat.ToolChoice, &choice) == nil:
	case json.Unmarshal(chat.ToolChoice, &named) == nil && named.Type == "function":
		choice = named.Type
	default:
		return rejected("tool_choice",
			"tool_choice must be none, auto, required or a function for this model.")
	}
	var single param.Opt[bool]
	if chat.ParallelToolCalls != nil && !*chat.ParallelToolCalls {
		single = anthropic.Bool(true)
	}
	switch choice {
	case "":
		if single.Valid() && len(chat.Tools) > 0 {
			params.ToolChoice.OfAuto = &anthropic.ToolChoiceAutoParam{DisableParallelToolUse: single}
		}
	case "auto":
		params.ToolChoice.OfAuto = &anthropic.ToolChoiceAutoParam{DisableParallelToolUse: single}
	case "required":
		params.ToolChoice.OfAny = &anthropic.ToolChoiceAnyParam{DisableParallelToolUse: single}
	case "none":
		none := anthropic.NewToolChoiceNoneParam()
		params.ToolChoice.OfNone = &none
	case "function":
		params.ToolChoice.OfTool = &anthropic.ToolChoiceToolParam{
			Name: named.Function.Name, DisableParallelToolUse: single,
		}
	default:
		return rejected("tool_choice", fmt.Sprintf("tool_choice %q is not supported for this model.", choice))
	}
	return nil
}

func isObject(data json.RawMessage) bool {
	return json.Valid(data) && bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
}
