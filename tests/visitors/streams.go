package visitors

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

var errSilent = errors.New("the connection is silent")

// mostResumptions bounds how often one answer is resumed.
const mostResumptions = 5

// streams reads one answer after the other.
func (v *Visitors) streams(n int) {
	of := &v.result.Streams
	for question := 0; !v.stopped(); question++ {
		if err := v.stream(n, question); err != nil {
			v.fail(of, "stream", err)
			v.pause(afterFailure)
			continue
		}
		v.count(&of.Finished)
	}
}

// stream reads an answer to its end. When its connection ends before, it goes on after the last event.
func (v *Visitors) stream(n, question int) error {
	client, who := v.client(n), v.caller(n)
	session, err := v.session(client, who, who.streamAgent)
	if err != nil {
		return err
	}
	content := longQuestion(n, question, streamWords)
	a := &answer{want: answerTo(content)}
	ended := v.follow(client, who, a, http.MethodPost, "/v1/sessions/"+session+"/messages",
		map[string]any{"content": content, "stream": true})
	for range mostResumptions {
		if !continuable(ended) || a.message == "" {
			return ended
		}
		before := ended
		a.resumed = true
		ended = v.follow(client, who, a, http.MethodGet, "/v1/messages/"+a.message+"/events", nil,
			"Last-Event-ID", strconv.Itoa(a.seq))
		if ended == nil || continuable(ended) {
			v.continued(&v.result.Streams, "stream", before)
		}
	}
	return ended
}

// follow sends a request and reads the events that answer it. It gives up a connection that is silent.
func (v *Visitors) follow(
	client *http.Client, who caller, a *answer, method, path string, body any, header ...string,
) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	timer := time.AfterFunc(v.times.silence, func() { cancel(errSilent) })
	defer timer.Stop()
	response, err := v.send(ctx, client, who, method, path, body, header...)
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		err = a.read(&heard{response.Body, func() { timer.Reset(v.times.silence) }})
	}
	if err != nil && context.Cause(ctx) != nil {
		return errSilent
	}
	return err
}

// heard calls what is given at each read.
type heard struct {
	io.Reader
	something func()
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	h.something()
	return n, err
}
