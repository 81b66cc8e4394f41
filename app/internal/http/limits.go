package http

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"time"
	"unicode/utf8"

	"agentstack/app/problem"
)

const (
	maxBody = 50 << 20 // bytes, as at the edge
	// maxPublicBody bounds what somebody may send who has not proved anything.
	maxPublicBody = 64 << 10
	// readTimeout bounds reading a request's body, writeTimeout each write of an answer.
	readTimeout  = 60 * time.Second
	writeTimeout = 60 * time.Second

	defaultMaxStreams = 2000
	// firstRead is what is set aside for a body before its bytes come: an announced length costs nothing.
	firstRead = 64 << 10
)

// readBody reads the whole body of a request once. Its errors are Problems.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(w, limit)
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	// A deadline of the server would also end the watch for clients that go away, so it is only for the body.
	control := http.NewResponseController(w)
	err := control.SetReadDeadline(time.Now().Add(readTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, bodyProblem(w, err, limit)
	}
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), firstRead)) + bytes.MinRead)
	read, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	callOf(r.Context()).read = read
	if err == nil {
		err = control.SetReadDeadline(time.Time{})
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, bodyProblem(w, err, limit)
	}
	if !utf8.Valid(body.Bytes()) {
		return nil, newProblem(http.StatusBadRequest, "invalid_utf8", "The request body is not valid UTF-8.")
	}
	return body.Bytes(), nil
}

// bodyProblem tells a body that is too large or too slow from one that did not arrive.
func bodyProblem(w http.ResponseWriter, err error, limit int64) *Problem {
	var exceeded *http.MaxBytesError
	switch {
	case errors.As(err, &exceeded):
		return tooLarge(w, limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return newProblem(http.StatusRequestTimeout, "request_timeout",
			"The request body did not arrive in time.")
	default:
		return newProblem(http.StatusBadRequest, "incomplete_body",
			"The request body could not be read to its end.")
	}
}

func tooLarge(w http.ResponseWriter, limit int64) *Problem {
	w.Header().Set("Connection", "close") // the rest of the body is not read
	text := "The request body is larger than 50 MiB."
	if limit == maxPublicBody {
		text = "The request body is larger than 64 KiB."
	}
	return newProblem(http.StatusRequestEntityTooLarge, "request_too_large", text)
}

// beginStream counts what stays open: server-sent events or a WebSocket. The caller calls end when it closes.
func (s *Server) beginStream() (end func(), err error) {
	if s.streams.Add(1) > int64(s.MaxStreams) {
		s.streams.Add(-1)
		return nil, &problem.Error{
			Kind:       problem.Unavailable,
			Code:       "too_many_streams",
			Message:    "The server has as many open streams as it can hold. Try again.",
			RetryAfter: time.Second,
		}
	}
	ended := s.Metrics.StreamStarted()
	return func() {
		s.streams.Add(-1)
		ended()
	}, nil
}
