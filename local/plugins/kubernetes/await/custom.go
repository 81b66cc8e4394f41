package await

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// firstCondition is how long a controller has to report the first condition of an object whose definition
// declares conditions. Without it, a new object would count as ready before its controller has seen it.
const firstCondition = 30 * time.Second

// judgeCustom waits for the Ready condition of a custom resource, at the generation that was applied. A kind
// without conditions is ready at once.
func (w Waiter) judgeCustom() judge {
	started := time.Now()
	var declares *bool
	return func(ctx context.Context, live *unstructured.Unstructured) (verdict, error) {
		if len(conditions(live)) == 0 && time.Since(started) < firstCondition {
			if declares == nil {
				found := w.Client.DeclaresConditions(ctx, live.GroupVersionKind())
				declares = &found
			}
			if *declares {
				return verdict{message: "no condition reported yet"}, nil
			}
		}
		state, err := judgeStatus(ctx, live)
		if err != nil {
			return state, err
		}
		if ready, ok := condition(live, "Ready"); ok && ready.generation > 0 &&
			ready.generation < live.GetGeneration() {
			return verdict{message: "the Ready condition is of an older generation"}, nil
		}
		// What stalls one custom resource may be another that is still on its way.
		state.failed = false
		return state, nil
	}
}
