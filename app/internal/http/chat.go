package http

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"agentstack/app/agent"
	"agentstack/app/telemetry"
)

const (
	maxBody = 50 << 20 // bytes, as at the edge
	// readTimeout bounds reading a request's body, writeTimeout each write of an answer.
	readTimeout  = 60 * time.Second
	writeTimeout = 60 * time.Second
)

// chatCompletions serves OpenAI's POST /v1/chat/completions.
func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) {
	defer s.Metrics.SessionStarted(telemetry.DefaultAgent)()
	request, err := readChatRequest(w, r)
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case request.Stream:
		s.stream(w, r, request)
	default:
		s.complete(w, r, request)
	}
}

func readChatRequest(w http.ResponseWriter, r *http.Request) (*agent.ChatRequest, error) {
	// A deadline of the server would also end the watch for clients that go away, so it is only for the body.
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, bodyError(err)
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	request, err := agent.ParseChatRequest(body)
	if err != nil {
		return nil, err
	}
	request.ID = r.Header.Get(requestIDHeader)
	request.Cache = cachePolicy(r.Header)
	return request, nil
}

// bodyError tells a body that is too large or too slow from one that did not arrive.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return &agent.RequestError{Message: "The request body could not be read to its end."}
}

// cachePolicy follows RFC 9111, section 5.2.1: no-cache wants a fresh answer, no-store also that none is kept.
func cachePolicy(header http.Header) agent.CachePolicy {
	var policy agent.CachePolicy
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		switch strings.ToLower(strings.TrimSpace(directive)) {
		case "no-cache":
			policy.NoRead = true
		case "no-store":
			policy.NoRead, policy.NoWrite = true, true
		}
	}
	return policy
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, request *agent.ChatRequest) {
	completion, cached, err := s.Chat.Complete(r.Context(), request)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Cache", cacheResult(request, cached))
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		s.refuse(w, r, err)
		return
	}
	if _, err := w.Write(completion.Body); err != nil {
		s.logError(r, err)
	}
}

func cacheResult(request *agent.ChatRequest, cached bool) string {
	switch {
	case cached:
		return "hit"
	case request.Cache.NoRead:
		return "bypass"
	default:
		return "miss"
	}
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request, request *agent.ChatRequest) {
	events := &eventWriter{w: w, control: http.NewResponseController(w)}
	err := s.Chat.Stream(r.Context(), request, func(chunk agent.Chunk) error {
		if chunk.Internal {
			return nil
		}
		return events.write(chunk.Data)
	})
	switch {
	case err == nil:
		err = events.write([]byte("[DONE]"))
	case !events.begun:
		s.refuse(w, r, err)
		return
	case !clientGone(r.Context()):
		s.logError(r, err)
		failure := errorFrom(err)
		if answer, ok := w.(*recorder); ok {
			answer.outcome = failure.status
		}
		// A stream without [DONE] tells clients that the answer is not complete.
		err = events.writeError(failure)
	}
	if err != nil {
		s.logError(r, err)
	}
}

// refuse answers with an error while no part of an answer is sent yet.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if clientGone(r.Context()) {
		return
	}
	s.logError(r, err)
	writeError(w, errorFrom(err))
}

func (s *Server) logError(r *http.Request, err error) {
	if !clientGone(r.Context()) {
		s.Log.Warn("request failed", "request_id", r.Header.Get(requestIDHeader), "error", err)
	}
}

func clientGone(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), agent.ErrShutdown)
}

// eventWriter writes server-sent events, each flushed.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (e *eventWriter) write(data []byte) error {
	if !e.begun {
		e.begun = true
		header := e.w.Header()
		header.Set("Content-Type", "text/event-stream")
		header.Set("Cache-Control", "no-cache")
		header.Set("X-Accel-Buffering", "no") // proxies must not hold events back
	}
	if err := e.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	var event bytes.Buffer
	for line := range bytes.Lines(data) {
		event.WriteString("data: ")
		event.Write(bytes.TrimRight(line, "\r\n"))
		event.WriteByte('\n')
	}
	event.WriteByte('\n')
	if _, err := e.w.Write(event.Bytes()); err != nil {
		return err
	}
	return e.control.Flush()
}

func (e *eventWriter) writeError(answer apiError) error {
	body, err := json.Marshal(errorBody{answer})
	if err != nil {
		return err
	}
	return e.write(body)
}
