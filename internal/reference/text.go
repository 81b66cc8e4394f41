package main

import (
	"regexp"
	"strings"
)

var boundary = regexp.MustCompile("\\. ([A-Z`]|https://)")

// text is a comment taken apart.
type text struct {
	condition string // what happens when the key is left out
	meaning   string
}

// parse takes the sentences out of a comment that begin with Default or Required.
func parse(comment string) text {
	var conditions, meaning []string
	for _, sentence := range sentences(comment) {
		if rest, found := strings.CutPrefix(sentence, "Default"); found {
			conditions = append(conditions, strings.TrimSuffix(strings.TrimLeft(rest, ": "), "."))
			continue
		}
		if strings.HasPrefix(sentence, "Required") {
			conditions = append(conditions, strings.TrimSuffix("required"+sentence[len("Required"):], "."))
			continue
		}
		meaning = append(meaning, sentence)
	}
	return text{condition: strings.Join(conditions, "; "), meaning: strings.Join(meaning, " ")}
}

// sentences splits a text after each full stop that a capital letter, a quoted key or an address follows.
func sentences(text string) []string {
	var found []string
	from := 0
	for _, at := range boundary.FindAllStringIndex(text, -1) {
		found = append(found, text[from:at[0]+1])
		from = at[0] + 2
	}
	return append(found, text[from:])
}
