package agent

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"

	"agentstack/app/problem"
)

// pick finds fields of a request's body by name and leaves all others unread: decoding a body into maps would
// cost more than the rest of a request. A field that is missing is nil. One that is there twice is refused,
// because the model server might read the other one.
func pick(body []byte, names ...string) ([][]byte, error) {
	if !utf8.Valid(body) {
		return nil, problem.New(problem.Invalid, "invalid_body", "The request body is not valid UTF-8.")
	}
	if !json.Valid(body) || !isObject(bytes.TrimLeft(body, space)) {
		return nil, problem.New(problem.Invalid, "invalid_body", "The request body is not a valid JSON object.")
	}
	return pickFrom(body, names...)
}

// pickFrom is pick for an object that is known to be valid.
func pickFrom(object []byte, names ...string) ([][]byte, error) {
	values := make([][]byte, len(names))
	for key, value := range members(object) {
		for i, name := range names {
			if string(key) != name {
				continue
			}
			if values[i] != nil {
				return nil, problem.InvalidField(name, name+" is given more than once.")
			}
			values[i] = value
		}
	}
	return values, nil
}

// space is what JSON counts as white space.
const space = " \t\r\n"

func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }
func isArray(value []byte) bool  { return len(value) > 0 && value[0] == '[' }
func isString(value []byte) bool { return len(value) > 0 && value[0] == '"' }

func isNull(value []byte) bool { return value == nil || string(value) == "null" }

// isListOf tells whether a value is an array with at least one element, all of one kind.
func isListOf(value []byte, is func([]byte) bool) bool {
	if !isArray(value) {
		return false
	}
	count := 0
	for element := range elements(value) {
		if !is(element) {
			return false
		}
		count++
	}
	return count > 0
}

// members yields the keys and the raw values of an object that is known to be valid JSON.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := next(object, 0) + 1; ; i++ {
			if i = next(object, i); object[i] == '}' {
				return
			}
			end := valueEnd(object, i)
			key := unquote(object[i:end])
			start := next(object, next(object, end)+1) // over the colon
			i = valueEnd(object, start)
			if !yield(key, object[start:i]) {
				return
			}
			if i = next(object, i); object[i] == '}' {
				return
			}
		}
	}
}

// elements yields the raw elements of an array that is known to be valid JSON.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := next(array, 0) + 1; ; i++ {
			if i = next(array, i); array[i] == ']' {
				return
			}
			end := valueEnd(array, i)
			if !yield(array[i:end]) {
				return
			}
			if i = next(array, end); array[i] == ']' {
				return
			}
		}
	}
}

// next skips white space from i on.
func next(data []byte, i int) int {
	for data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n' {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at i.
func valueEnd(data []byte, i int) int {
	for depth := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = stringEnd(data, i)
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				return i + depth + 1 // a scalar ends before the bracket of what holds it
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(data)
}

// stringEnd returns the index of the quote that closes the string that begins at i.
func stringEnd(data []byte, i int) int {
	for {
		i += 1 + bytes.IndexByte(data[i+1:], '"')
		escapes := 0
		for data[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

// unquote returns what a JSON string says. Keys have escapes so rarely that those go the long way.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return quoted
	}
	return []byte(text)
}
