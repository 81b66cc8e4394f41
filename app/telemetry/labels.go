package telemetry

import (
	"slices"
	"sync"
)

// otherLabel stands for label values that come from clients and are too many or not known.
const otherLabel = "other"

// maxModels bounds the models with time series of their own: the name is the client's.
const maxModels = 100

// labelSet admits the first values it sees, up to maxModels.
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
	if len(s.seen) == maxModels {
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
