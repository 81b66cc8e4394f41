package object

import (
	"encoding/base64"
	"sort"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CarrySecrets marks as secret in outs whatever is secret in ins, and always the data of a Secret. Two
// objects are compared key by key; a list with one secret in it is secret as a whole, since its order may
// change on the server.
func CarrySecrets(outs, ins resource.PropertyMap) {
	if kind := outs["kind"]; kind.IsString() && kind.StringValue() == "Secret" {
		markSecret(outs, "data")
		markSecret(outs, "stringData")
	}
	for key, in := range ins {
		out, ok := outs[key]
		switch {
		case !ok:
		case out.IsObject() && in.IsObject():
			CarrySecrets(out.ObjectValue(), in.ObjectValue())
		case in.ContainsSecrets():
			markSecret(outs, key)
		}
	}
}

func markSecret(properties resource.PropertyMap, key resource.PropertyKey) {
	if value, ok := properties[key]; ok && !value.IsSecret() {
		properties[key] = resource.MakeSecret(value)
	}
}

// Lengths in bytes below which a value is too common in plain text to be replaced in messages. What merely
// stands in a Secret is often a host or user name, so it has to be longer than what the program marked.
const (
	minRedactedMarked   = 4
	minRedactedUnmarked = 8
)

// Redactor replaces the secret values that it has seen in messages. Safe for concurrent use.
type Redactor struct {
	mu     sync.Mutex
	values map[string]struct{}
}

// Learn remembers every string that the program marked secret, also in the Base64 form that the API returns.
// Of a Secret with no mark at all it remembers every value.
func (r *Redactor) Learn(properties resource.PropertyMap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil {
		r.values = map[string]struct{}{}
	}
	for _, value := range properties {
		r.learn(value, false, minRedactedMarked)
	}
	kind := properties["kind"]
	if kind.IsString() && kind.StringValue() == "Secret" && !properties.ContainsSecrets() {
		r.learn(properties["data"], true, minRedactedUnmarked)
		r.learn(properties["stringData"], true, minRedactedUnmarked)
	}
}

func (r *Redactor) learn(value resource.PropertyValue, secret bool, minimum int) {
	switch {
	case value.IsSecret():
		r.learn(value.SecretValue().Element, true, minimum)
	case value.IsArray():
		for _, e := range value.ArrayValue() {
			r.learn(e, secret, minimum)
		}
	case value.IsObject():
		for _, e := range value.ObjectValue() {
			r.learn(e, secret, minimum)
		}
	case secret && value.IsString():
		r.remember(value.StringValue(), minimum)
	}
}

func (r *Redactor) remember(value string, minimum int) {
	if len(value) < minimum {
		return
	}
	r.values[value] = struct{}{}
	r.values[base64.StdEncoding.EncodeToString([]byte(value))] = struct{}{}
	if decoded, err := base64.StdEncoding.DecodeString(value); err == nil && len(decoded) >= minimum {
		r.values[string(decoded)] = struct{}{}
	}
}

// Redact returns the text with every known secret value replaced, longest first.
func (r *Redactor) Redact(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	values := make([]string, 0, len(r.values))
	for value := range r.values {
		values = append(values, value)
	}
	sort.Slice(values, func(i, j int) bool { return len(values[i]) > len(values[j]) })
	for _, value := range values {
		text = strings.ReplaceAll(text, value, "[secret]")
	}
	return text
}
