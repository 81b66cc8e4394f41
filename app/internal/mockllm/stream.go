package mockllm

import (
	"net/http"
	"strings"
)

// stream writes an answer token by token, each flushed.
func stream(w http.ResponseWriter, r *http.Request, d dialect, a *answer) {
	if a.model == silent {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	buffer := make([]byte, 0, 1<<10)
	// An error means that the client is gone.
	send := func(data []byte) bool {
		_, err := w.Write(data)
		return err == nil && control.Flush() == nil
	}
	if !send(d.open(buffer, a)) {
		return
	}
	pace := paceOf(a.model)
	first := true
	for token := range strings.SplitAfterSeq(a.said, " ") {
		if a.tool != "" {
			break
		}
		if !send(d.token(buffer, a, token)) || first && brokenOff(r, d, a, send) {
			return
		}
		first = false
		if pace > 0 {
			pause(r, pace)
		}
	}
	send(d.end(buffer, a))
}

// brokenOff ends the stream of models that stop after the first token.
func brokenOff(r *http.Request, d dialect, a *answer, send func([]byte) bool) bool {
	switch a.model {
	case errorEvent:
		send(d.errorEvent(nil))
	case truncate:
	case hang:
		<-r.Context().Done()
	default:
		return false
	}
	return true
}
