package telemetry

import (
	"slices"
	"sync"
)

// otherLabel stands for label values that come from clients and are too many or not known.
const otherLabel = "other"

// maxValues bounds the values with time series of their own, where clients choose them: names of models, ids of agents.
const maxValues = 100

// labelSet admits the first values it sees, up to maxValues.
type labelSet struct {
	mu   sync.Mutex
	seen []string
}

func (s *labelSet) label(value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.seen, value) {
		return value
	}
	if len(s.seen) == maxValues {
		return otherLabel
	}
	s.seen = append(s.seen, value)
	return value
}

// methodLabel keeps the standard methods; a client may send any word.
func methodLabel(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	default:
		return otherLabel
	}
}
