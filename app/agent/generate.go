package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
)

// generate sees an answer through to its end in the store.
func (s *Sessions) generate(
	ctx context.Context, run *Run, request *ChatRequest, answer *Message, settle func(used int64),
) {
	defer s.forget(run)
	if s.Started != nil {
		defer s.Started(run.agentID)()
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	published := make(chan struct{})
	go func() {
		defer close(published)
		s.publish(context.WithoutCancel(ctx), run)
	}()
	s.conclude(ctx, answer, run, s.relayTo(ctx, run, request, answer))
	run.end(answer)
	if settle != nil {
		settle(usedTokens(request, answer))
	}
	<-published
}

// relayTo passes what the model says to the readers. A panic of it would end the process, since no server
// watches over this goroutine.
func (s *Sessions) relayTo(ctx context.Context, run *Run, request *ChatRequest, message *Message) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
		}
	}()
	stream, err := s.Model.Stream(ctx, request)
	if err != nil {
		return err
	}
	defer stream.Close()
	answer := Answer{Model: message.Model}
	for {
		chunk, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer.add(chunk.Delta)
		message.Model, message.Usage = storable(answer.Model), answer.Usage
		if err := run.append(chunk.Delta.Text); err != nil {
			return err
		}
	}
}

// conclude stores an answer's end. Only then its readers get to know it.
func (s *Sessions) conclude(ctx context.Context, answer *Message, run *Run, err error) {
	run.mu.Lock()
	answer.Content = run.text.String()
	run.mu.Unlock()
	answer.Citations = cited(answer.Content, run.citations)
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		answer.Status = MessageCompleted
	case errors.Is(cause, errCancelled), errors.Is(cause, errUnread), errors.Is(cause, ErrShutdown):
		answer.Status, answer.Error = MessageInterrupted, cause.Error()
	default:
		answer.Status, answer.Error = MessageFailed, storable(failure(err))
		s.Log.WarnContext(ctx, "answer failed", "message_id", answer.ID, "error", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := s.Store.FinishMessage(ctx, run.tenant, answer); err != nil {
		s.Log.ErrorContext(ctx, "answer not stored", "message_id", answer.ID, "error", err)
		answer.Status, answer.Error = MessageFailed, "the answer could not be stored"
	}
}

// failure says to the client what it may know: a model server's messages may quote our key, except about the
// request.
func failure(err error) string {
	var modelError *ModelError
	switch {
	case errors.Is(err, errAnswerTooLarge):
		return errAnswerTooLarge.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("the answer took longer than %s", answerTimeout)
	case !errors.As(err, &modelError):
		return "the server had an internal error"
	}
	switch modelError.Kind {
	case ModelRejected, ModelRateLimited:
		return "the model server refused the request: " + modelError.Message
	case ModelTimeout:
		return "the model server did not answer in time"
	case ModelUnreachable:
		return "the model server cannot be reached"
	default:
		return "the model server failed"
	}
}

// usedTokens estimates four bytes to a token where the model server does not count them.
func usedTokens(request *ChatRequest, answer *Message) int64 {
	switch {
	case answer.Usage != nil:
		return int64(answer.Usage.PromptTokens) + int64(answer.Usage.CompletionTokens)
	case answer.Content == "":
		return 0
	default:
		return int64(len(request.Body)+len(answer.Content)) / 4
	}
}

var reference = regexp.MustCompile(`\[\d+(?:, ?\d+)*\]`)

// cited returns the citations that a text refers to, as in [1] or [1, 3].
func cited(text string, offered []Citation) []Citation {
	if len(offered) == 0 {
		return nil
	}
	used := map[string]bool{}
	for _, list := range reference.FindAllString(text, -1) {
		for number := range strings.SplitSeq(strings.Trim(list, "[]"), ",") {
			used[strings.TrimSpace(number)] = true
		}
	}
	var citations []Citation
	for _, citation := range offered {
		if used[strconv.Itoa(citation.Number)] {
			citations = append(citations, citation)
		}
	}
	return citations
}
