package mockllm

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/tidwall/gjson"
)

// arguments is what every call of a tool is made with.
const arguments = `{"query":"weather"}`

// answer is a scripted answer; a token is a word with the space after it.
type answer struct {
	model            string
	key              string // 24 hexadecimal digits, the same for the same conversation
	said             string
	tool             string // name of the tool to call instead of saying something
	promptTokens     int
	completionTokens int
	includeUsage     bool
}

// dialect is how an API writes answers. Its methods append to dst.
type dialect interface {
	// tool returns the name of the request's first tool.
	tool(request gjson.Result) string
	completion(dst []byte, a *answer) []byte
	// open is what comes before the first token of a stream, with the calls of tools.
	open(dst []byte, a *answer) []byte
	token(dst []byte, a *answer, token string) []byte
	end(dst []byte, a *answer) []byte
	errorEvent(dst []byte) []byte
	failure(f *fault) (status int, body []byte)
}

func newAnswer(d dialect, request gjson.Result) *answer {
	a := &answer{
		model:        strings.Clone(request.Get("model").String()),
		includeUsage: request.Get("stream_options.include_usage").Bool(),
	}
	said := "Hello."
	hash := sha256.New()
	add := func(role, content string) {
		_, _ = io.WriteString(hash, role+"\x00"+content+"\x00")
		a.promptTokens += words(content)
	}
	if system := request.Get("system"); system.Exists() {
		add("system", text(system))
	}
	request.Get("messages").ForEach(func(_, message gjson.Result) bool {
		role, content := message.Get("role").String(), text(message.Get("content"))
		add(role, content)
		if role == "user" {
			said = "You said: " + content
		}
		return true
	})
	a.key = hex.EncodeToString(hash.Sum(nil)[:12])
	a.said, a.completionTokens = said, strings.Count(said, " ")+1
	if a.model == tool {
		a.said, a.completionTokens, a.tool = "", 1, d.tool(request)
		if a.tool == "" {
			a.tool = "lookup"
		}
	}
	return a
}

func words(content string) int {
	count := 0
	for range strings.FieldsSeq(content) {
		count++
	}
	return count
}

// text returns a message's content, which is a string or an array of parts.
func text(content gjson.Result) string {
	if !content.IsArray() {
		if content.Type != gjson.String {
			return ""
		}
		return content.String()
	}
	var all strings.Builder
	content.ForEach(func(_, part gjson.Result) bool {
		all.WriteString(part.Get("text").String())
		return true
	})
	return all.String()
}
