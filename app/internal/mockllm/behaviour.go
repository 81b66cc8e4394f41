package mockllm

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Models with a behaviour of their own that more than one place knows.
const (
	slow       = "mock-slow"
	tool       = "mock-tool"
	errorEvent = "mock-error-event"
	truncate   = "mock-truncate"
	hang       = "mock-hang"
	silent     = "mock-silent"
	pacePrefix = "mock-pace-"
)

// slowPause is the time between two tokens of the model mock-slow.
const slowPause = 100 * time.Millisecond

// Behaviours are the models by name. Any other name behaves as mock does. In mock-pace-20, 20 may be any
// number.
var Behaviours = map[string]string{
	"mock":              "repeats the last user message",
	slow:                "as mock, one token each 100 ms",
	pacePrefix + "20":   "as mock, one token each 20 ms",
	tool:                "calls the first tool of the request, or one named lookup",
	"mock-unknown":      "404 model_not_found",
	"mock-unauthorized": "401",
	"mock-rate-limit":   "429 with Retry-After: 1, not to be retried",
	"mock-error":        "500, not to be retried",
	"mock-busy":         "429 with Retry-After: 1 at the first attempt of each prompt, then as mock",
	"mock-flaky":        "500 at the first two attempts of each prompt, then as mock",
	"mock-overloaded":   "503 (Anthropic: 529), to be retried, always",
	errorEvent:          "an error event after the first token of a stream",
	truncate:            "ends in the middle of the answer",
	hang:                "the first token of a stream, then nothing until the client goes away",
	silent:              "nothing, not even headers, until the client goes away",
}

// fault is an answer without any text.
type fault struct {
	status              int
	kind, code, message string
	retryAfter          string
	retry               bool // clients may try again
	first               int  // attempts of each prompt that fail; 0: all
}

var faults = map[string]*fault{
	"mock-unknown": {
		status: http.StatusNotFound, kind: "invalid_request_error", code: "model_not_found",
		message: "The model `mock-unknown` does not exist",
	},
	"mock-unauthorized": {
		status: http.StatusUnauthorized, kind: "invalid_request_error", code: "invalid_api_key",
		message: "Incorrect API key provided",
	},
	"mock-rate-limit": {
		status: http.StatusTooManyRequests, kind: "requests", code: "rate_limit_exceeded",
		message: "Rate limit reached", retryAfter: "1",
	},
	"mock-error": {
		status: http.StatusInternalServerError, kind: "server_error", message: "The server had an error",
	},
	"mock-busy": {
		status: http.StatusTooManyRequests, kind: "requests", code: "rate_limit_exceeded",
		message: "Rate limit reached", retryAfter: "1", retry: true, first: 1,
	},
	"mock-flaky": {
		status: http.StatusInternalServerError, kind: "server_error", message: "The server had an error",
		retry: true, first: 2,
	},
	"mock-overloaded": {
		status: http.StatusServiceUnavailable, kind: "server_error", message: "The server is overloaded",
		retry: true,
	},
}

func badRequest(message string) *fault {
	return &fault{status: http.StatusBadRequest, kind: "invalid_request_error", message: message}
}

// failures remembers the prompts that have failed as often as they should, for as long as the process runs.
type failures struct {
	mu     sync.Mutex
	failed map[string]int
}

// of returns nil when the model answers.
func (f *failures) of(model, prompt string) *fault {
	fault := faults[model]
	if fault == nil || fault.first == 0 {
		return fault
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := model + prompt
	if f.failed[key] >= fault.first {
		return nil
	}
	f.failed[key]++
	return fault
}

// paceOf returns the time of each token, or 0.
func paceOf(model string) time.Duration {
	if model == slow {
		return slowPause
	}
	digits, found := strings.CutPrefix(model, pacePrefix)
	milliseconds, err := strconv.Atoi(digits)
	if !found || err != nil {
		return 0
	}
	return time.Duration(milliseconds) * time.Millisecond
}

func models() []byte {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(Behaviours)) {
		item := fmt.Sprintf(`{"id":%q,"object":"model","created":%s,"owned_by":"mockllm"}`, name, created)
		list = append(list, item)
	}
	return []byte(`{"object":"list","data":[` + strings.Join(list, ",") + `]}`)
}
