package agent

import (
	"strings"

	"agentstack/app/problem"
)

// ParseEmbeddingRequest validates as much of the body as routing and limits need. Its errors are of type
// *problem.Error.
func ParseEmbeddingRequest(body []byte) (*EmbeddingRequest, error) {
	fields, err := pick(body, "model", "input")
	if err != nil {
		return nil, err
	}
	request := &EmbeddingRequest{Body: body}
	if request.Model, err = modelName(fields[0]); err != nil {
		return nil, err
	}
	input := fields[1]
	if !isText(input) && !isListOf(input, isText) && !isTokens(input) && !isListOf(input, isTokens) {
		return nil, problem.InvalidField("input", "You must provide input: a non-empty string, or a non-empty array "+
			"of strings, of tokens or of arrays of tokens.")
	}
	return request, nil
}

// EstimatedTokens is what the request may cost: a token for every four bytes of the body.
func (r *EmbeddingRequest) EstimatedTokens() int64 { return int64(len(r.Body)/4 + 1) }

func isText(value []byte) bool { return isString(value) && len(value) > len(`""`) }

func isTokens(value []byte) bool { return isListOf(value, isToken) }

func isToken(value []byte) bool { return strings.Trim(string(value), "0123456789") == "" }
