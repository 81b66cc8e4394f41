package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"agentstack/app/agent"
)

const (
	// maxCompletion bounds the size of an answer that is read as a whole, in bytes.
	maxCompletion = 50 << 20
	// maxRecursive bounds what is given to the fast JSON check, in bytes: it recurses, and deep nesting would
	// exhaust the stack, which ends the process.
	maxRecursive = 64 << 10
	// maxReserved bounds the memory taken on the word of a Content-Length, in bytes.
	maxReserved = 1 << 20
)

// readAnswer reads and closes the body.
func readAnswer(ctx context.Context, response *http.Response) ([]byte, error) {
	defer response.Body.Close()
	size := max(bytes.MinRead, min(response.ContentLength, maxReserved))
	buffer := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := buffer.ReadFrom(http.MaxBytesReader(nil, response.Body, maxCompletion))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, protocolError("the answer is larger than 50 MiB")
	case err != nil:
		return nil, classify(ctx, err)
	}
	return buffer.Bytes(), nil
}

func valid(data []byte) bool {
	if len(data) > maxRecursive {
		return json.Valid(data)
	}
	return gjson.ValidBytes(data)
}

// parseAnswer reads a whole completion.
func parseAnswer(data []byte) (agent.Answer, error) {
	answer, choices, err := parse(data, "message")
	if err == nil && choices < 0 {
		err = protocolError("the answer has no choices")
	}
	return answer, err
}

// parseChunk reads one event of a stream and says how many choices it has.
func parseChunk(data []byte) (agent.Answer, int, error) {
	return parse(data, "delta")
}

// parse reads what is kept of a completion or chunk. said is the field of a choice with the message. It
// returns -1 choices if there is no list of them.
func parse(data []byte, said string) (answer agent.Answer, choices int, err error) {
	root := gjson.ParseBytes(data)
	if !valid(data) || !root.IsObject() {
		return answer, -1, protocolError("the answer is not the JSON of a chat completion")
	}
	choices = -1
	root.ForEach(func(key, value gjson.Result) bool {
		switch key.String() {
		case "model":
			answer.Model = plain(value)
		case "usage":
			answer.Usage = parseUsage(value)
		case "error":
			if value.Type != gjson.Null {
				err = newAPIError(value).modelError(0)
			}
		case "choices":
			choices = addChoices(&answer, value, said)
		}
		return err == nil
	})
	return answer, choices, err
}

func addChoices(answer *agent.Answer, list gjson.Result, said string) int {
	if !list.IsArray() {
		return -1
	}
	count := 0
	list.ForEach(func(_, choice gjson.Result) bool {
		count++
		if choice.Get("index").Int() == 0 {
			answer.Text += content(choice.Get(said).Get("content"))
			if reason := choice.Get("finish_reason"); reason.Type == gjson.String {
				answer.FinishReason = plain(reason)
			}
		}
		return true
	})
	return count
}

// content keeps what is not a string as its JSON: some servers answer with an array of parts.
func content(value gjson.Result) string {
	switch value.Type {
	case gjson.String:
		return plain(value)
	case gjson.JSON:
		return strings.ToValidUTF8(value.Raw, "\uFFFD")
	default:
		return ""
	}
}

// plain returns a text that databases take: valid UTF-8.
func plain(value gjson.Result) string {
	return strings.ToValidUTF8(value.String(), "\uFFFD")
}

func parseUsage(value gjson.Result) *agent.Usage {
	if !value.IsObject() {
		return nil
	}
	return &agent.Usage{
		PromptTokens:     int(value.Get("prompt_tokens").Int()),
		CompletionTokens: int(value.Get("completion_tokens").Int()),
	}
}
