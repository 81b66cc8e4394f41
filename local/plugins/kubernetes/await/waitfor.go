package await

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/jsonpath"

	"agentstack/local/plugins/kubernetes/object"
)

// parseWaitFor reads the waitFor annotation: one expression or a JSON list of them, all of which must hold.
//
//	jsonpath={.status.phase}=Running   condition=Ready   condition=Ready=False
func parseWaitFor(annotation string) (judge, error) {
	var expressions []string
	if json.Unmarshal([]byte(annotation), &expressions) != nil {
		expressions = []string{annotation}
	}
	if len(expressions) == 0 {
		return nil, fmt.Errorf("annotation %s lists no expression", object.AnnotationWaitFor)
	}
	var judges []judge
	var problems []error
	for _, expression := range expressions {
		judge, err := parseExpression(expression)
		if err != nil {
			problems = append(problems, fmt.Errorf("annotation %s: %w", object.AnnotationWaitFor, err))
			continue
		}
		judges = append(judges, judge)
	}
	return all(judges), errors.Join(problems...)
}

func parseExpression(expression string) (judge, error) {
	if rest, ok := strings.CutPrefix(expression, "condition="); ok {
		kind, wanted, hasStatus := strings.Cut(rest, "=")
		if !hasStatus {
			wanted = "True"
		}
		return judgeCondition(kind, wanted), nil
	}
	if rest, ok := strings.CutPrefix(expression, "jsonpath="); ok {
		return parseJSONPath(rest)
	}
	return nil, fmt.Errorf("%q: want condition=<type>[=<status>] or jsonpath={<path>}[=<value>]", expression)
}

func all(judges []judge) judge {
	return func(ctx context.Context, live *unstructured.Unstructured) (verdict, error) {
		var waiting []string
		for _, judge := range judges {
			state, err := judge(ctx, live)
			if err != nil {
				return state, err
			}
			if !state.ready {
				waiting = append(waiting, state.message)
			}
		}
		return verdict{ready: len(waiting) == 0, message: strings.Join(waiting, "; ")}, nil
	}
}

func judgeCondition(kind, wanted string) judge {
	return func(_ context.Context, live *unstructured.Unstructured) (verdict, error) {
		if observed, ok, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration"); ok &&
			observed < live.GetGeneration() {
			return verdict{message: "the controller has not seen the change yet"}, nil
		}
		found, ok := condition(live, kind)
		switch {
		case !ok:
			return verdict{message: fmt.Sprintf("condition %s is not reported yet", kind)}, nil
		case found.generation > 0 && found.generation < live.GetGeneration():
			return verdict{message: fmt.Sprintf("condition %s is of an older generation", kind)}, nil
		}
		return verdict{ready: strings.EqualFold(found.status, wanted), message: found.String()}, nil
	}
}

func parseJSONPath(expression string) (judge, error) {
	end := strings.LastIndex(expression, "}")
	path, wanted, hasValue := expression, "", false
	if end >= 0 && strings.HasPrefix(expression[end+1:], "=") {
		path, wanted, hasValue = expression[:end+1], expression[end+2:], true
	}
	wanted = strings.Trim(wanted, `"'`)
	parser := jsonpath.New("waitFor").AllowMissingKeys(true)
	if err := parser.Parse(path); err != nil || !strings.HasPrefix(path, "{") {
		return nil, fmt.Errorf("jsonpath %q: want {<path>}, optionally followed by =<value>", path)
	}
	return func(_ context.Context, live *unstructured.Unstructured) (verdict, error) {
		results, err := parser.FindResults(live.Object)
		if err != nil {
			return verdict{message: fmt.Sprintf("%s: %v", path, err)}, nil
		}
		if len(results) == 0 || len(results[0]) == 0 {
			return verdict{message: path + " is not set yet"}, nil
		}
		found := fmt.Sprint(results[0][0].Interface())
		if !hasValue || found == wanted {
			return verdict{ready: true}, nil
		}
		return verdict{message: fmt.Sprintf("%s is %q, want %q", path, found, wanted)}, nil
	}, nil
}

// ValidateWaitFor reports what is wrong with an object's waitFor annotation.
func ValidateWaitFor(obj *unstructured.Unstructured) error {
	annotation := object.Annotation(obj, object.AnnotationWaitFor)
	if annotation == "" {
		return nil
	}
	_, err := parseWaitFor(annotation)
	return err
}
