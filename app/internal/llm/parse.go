package llm

import (
	"encoding/json"

	"agentstack/app/agent"
)

// message is what a choice says: whole in a completion, a piece in a chunk. Content is raw because some
// servers answer with an array of parts.
type message struct {
	Content json.RawMessage `json:"content"`
}

type payload struct {
	Model   string `json:"model"`
	Choices []struct {
		Index        int     `json:"index"`
		Message      message `json:"message"`
		Delta        message `json:"delta"`
		FinishReason string  `json:"finish_reason"`
	} `json:"choices"`
	Usage *agent.Usage `json:"usage"`
	Error *apiError    `json:"error"`
}

// parseAnswer reads a whole completion.
func parseAnswer(data []byte) (agent.Answer, error) {
	body, err := parsePayload(data)
	if err != nil {
		return agent.Answer{}, err
	}
	answer := agent.Answer{Model: body.Model, Usage: body.Usage}
	for _, choice := range body.Choices {
		if choice.Index == 0 {
			answer.Text, answer.FinishReason = text(choice.Message.Content), choice.FinishReason
		}
	}
	return answer, nil
}

// parseChunk reads one event of a stream and says how many choices it has.
func parseChunk(data []byte) (agent.Answer, int, error) {
	body, err := parsePayload(data)
	if err != nil {
		return agent.Answer{}, 0, err
	}
	delta := agent.Answer{Model: body.Model, Usage: body.Usage}
	for _, choice := range body.Choices {
		if choice.Index == 0 {
			delta.Text += text(choice.Delta.Content)
			delta.FinishReason = choice.FinishReason
		}
	}
	return delta, len(body.Choices), nil
}

func parsePayload(data []byte) (*payload, error) {
	var body payload
	if err := json.Unmarshal(data, &body); err != nil {
		return nil, protocolError("the answer is not the JSON of a chat completion")
	}
	if body.Error != nil {
		return nil, body.Error.modelError(0)
	}
	return &body, nil
}

// text keeps content that is not a string as its JSON.
func text(content json.RawMessage) string {
	if len(content) == 0 || string(content) == "null" {
		return ""
	}
	var plain string
	if err := json.Unmarshal(content, &plain); err != nil {
		return string(content)
	}
	return plain
}
