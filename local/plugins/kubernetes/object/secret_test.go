package object

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
)

func secretString(text string) resource.PropertyValue {
	return resource.MakeSecret(resource.NewStringProperty(text))
}

func properties(values map[string]any) resource.PropertyMap {
	return resource.NewPropertyMapFromMap(values)
}

func TestCarrySecrets(t *testing.T) {
	ins := properties(map[string]any{
		"spec": map[string]any{"open": "a", "closed": secretString("b"), "list": []any{"c", secretString("d")}},
	})
	outs := properties(map[string]any{
		"spec": map[string]any{"open": "a", "closed": "b", "list": []any{"d", "c"}, "default": "e"},
	})
	CarrySecrets(outs, ins)
	spec := outs["spec"].ObjectValue()
	assert.False(t, outs["spec"].IsSecret(), "only the part is secret")
	assert.False(t, spec["open"].ContainsSecrets())
	assert.False(t, spec["default"].ContainsSecrets())
	assert.True(t, spec["closed"].IsSecret())
	assert.True(t, spec["list"].IsSecret(), "a list is secret as a whole: its order may change")
}

func TestDataOfSecretsIsAlwaysSecret(t *testing.T) {
	outs := properties(map[string]any{"kind": "Secret", "data": map[string]any{"a": "YQ=="}, "type": "Opaque",
		"metadata": map[string]any{"annotations": map[string]any{"note": "x"}}})
	CarrySecrets(outs, properties(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"note": secretString("x")}},
	}))
	assert.True(t, outs["data"].IsSecret())
	assert.False(t, outs["type"].IsSecret())
	assert.True(t, outs["metadata"].ObjectValue()["annotations"].ObjectValue()["note"].IsSecret())
}

func TestRedactor(t *testing.T) {
	var r Redactor
	assert.Equal(t, "nothing learned", r.Redact("nothing learned"))
	r.Learn(properties(map[string]any{"kind": "Secret", "stringData": map[string]any{
		"password": secretString("hunter2"), "username": "ai-agent-user",
	}}))
	r.Learn(
		properties(
			map[string]any{
				"spec": map[string]any{"tokens": []any{secretString("abc"), secretString("hunter2-long")}},
			},
		),
	)
	r.Learn(
		properties(
			map[string]any{"kind": "Secret", "data": map[string]any{"a": "c3VwZXJzZWNyZXQ=", "b": "short"}},
		),
	)

	assert.Equal(t, "pass [secret] of ai-agent-user", r.Redact("pass hunter2 of ai-agent-user"))
	assert.Equal(t, "[secret] whole", r.Redact("hunter2-long whole"), "the longest match wins")
	assert.Equal(t, "[secret]", r.Redact("aHVudGVyMg=="), "Base64, as the API returns it")
	assert.Equal(t, "[secret]", r.Redact("supersecret"), "decoded from a Secret without marks")
	assert.Equal(t, "abc short", r.Redact("abc short"), "too common to be replaced")
}
