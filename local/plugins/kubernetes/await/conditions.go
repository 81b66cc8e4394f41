package await

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// statusCondition is one entry of status.conditions.
type statusCondition struct {
	kind, status, reason, message string
	generation                    int64 // observed; 0 when the controller does not say
}

// String is how the condition reads in a message.
func (c statusCondition) String() string {
	text := strings.TrimSpace(strings.Join([]string{c.reason, c.message}, ": "))
	text = strings.Trim(text, ": ")
	if text == "" {
		return c.kind + " is " + c.status
	}
	return c.kind + " is " + c.status + ": " + text
}

func conditions(live *unstructured.Unstructured) []statusCondition {
	entries, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	result := make([]statusCondition, 0, len(entries))
	for _, entry := range entries {
		fields, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		text := func(key string) string {
			value, _ := fields[key].(string)
			return value
		}
		generation, _ := fields["observedGeneration"].(int64)
		result = append(result, statusCondition{
			kind: text("type"), status: text("status"), reason: text("reason"), message: text("message"),
			generation: generation,
		})
	}
	return result
}

func condition(live *unstructured.Unstructured, kind string) (statusCondition, bool) {
	for _, c := range conditions(live) {
		if strings.EqualFold(c.kind, kind) {
			return c, true
		}
	}
	return statusCondition{}, false
}
