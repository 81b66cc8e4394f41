package http

import (
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/problem"
)

// start follows an answer in a goroutine of its own, unless there are too many or the server drains.
func (c *socket) start(frame clientFrame, follow func(clientFrame) error) {
	if err := c.reserve(); err != nil {
		c.report(frame, err)
		return
	}
	c.running.Go(func() {
		defer c.release()
		defer c.guard()
		c.report(frame, follow(frame))
	})
}

func (c *socket) reserve() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.draining:
		return agent.ErrShutdown
	case c.answers == maxSocketAnswers:
		return &problem.Error{
			Kind:       problem.Limited,
			Code:       "too_many_answers",
			Message:    "This socket has 8 answers in progress. Wait for one to end.",
			RetryAfter: time.Second,
		}
	default:
		c.answers++
		return nil
	}
}

func (c *socket) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers--
	c.closeIdle()
}

// drain closes the socket with 1012 when it has no answer in progress (any more).
func (c *socket) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	c.closeIdle()
}

func (c *socket) closeIdle() {
	if c.draining && c.answers == 0 {
		c.close(websocket.StatusServiceRestart, "shutting down")
	}
}

// caller checks again who the client is: its token may have expired or been revoked since. Then the socket is closed.
func (c *socket) caller() (*account.Principal, error) {
	who, err := c.server.Accounts.Authenticate(c.ctx, c.bearer)
	if err != nil {
		return nil, err
	}
	if !who.Has(account.ScopeAgents) {
		return nil, problem.New(problem.Unauthenticated, "insufficient_scope", "The credential lost the scope agents.")
	}
	return who, nil
}

func (c *socket) ask(frame clientFrame) error {
	who, err := c.caller()
	if err != nil {
		return err
	}
	end, err := c.server.beginStream()
	if err != nil {
		return err
	}
	defer end()
	run, err := c.server.begin(c.ctx, who, frame.SessionID, frame.Content)
	if err != nil {
		return err
	}
	err = c.post(serverFrame{
		Type: frameMessage, ID: frame.ID, QuestionID: run.QuestionID, MessageID: run.MessageID,
	})
	if err != nil {
		return err
	}
	return c.forward(run.MessageID, run.Events(c.ctx, 0))
}

func (c *socket) resume(frame clientFrame) error {
	who, err := c.caller()
	if err != nil {
		return err
	}
	if err := checkID(frame.MessageID, "answer"); err != nil {
		return err
	}
	end, err := c.server.beginStream()
	if err != nil {
		return err
	}
	defer end()
	events, err := c.server.Sessions.Follow(c.ctx, who.TenantID, frame.MessageID, frame.After)
	if err != nil {
		return err
	}
	return c.forward(frame.MessageID, events)
}

// stop ends an answer for all its readers.
func (c *socket) stop(frame clientFrame) error {
	who, err := c.caller()
	if err != nil {
		return err
	}
	if err := checkID(frame.MessageID, "answer"); err != nil {
		return err
	}
	return c.server.Sessions.Cancel(c.ctx, who.TenantID, frame.MessageID)
}

// forward takes the next event when there is room for it, so a slow client holds back nothing but itself.
func (c *socket) forward(messageID string, events iter.Seq2[agent.Event, error]) error {
	for event, err := range events {
		if err != nil {
			return err
		}
		if err := c.post(serverFrame{Type: frameEvent, MessageID: messageID, Event: &event}); err != nil {
			return err
		}
	}
	return nil
}

// report tells the client about an error, if there is one that concerns it.
func (c *socket) report(frame clientFrame, err error) {
	if err == nil || c.ctx.Err() != nil {
		return
	}
	var known *problem.Error
	if errors.As(err, &known) && known.Kind == problem.Unauthenticated {
		c.close(statusAccessEnded, known.Code)
		return
	}
	c.fail(frame, err)
}

// fail sends an error frame.
func (c *socket) fail(frame clientFrame, err error) {
	answer := *problemOf(err) // a copy: it may be shared
	answer.Instance = c.requestID
	if answer.Status >= http.StatusInternalServerError {
		c.server.Log.Warn("frame failed", "request_id", c.requestID, "type", frame.Type, "error", err)
	}
	body, err := json.Marshal(&answer)
	if err != nil {
		return
	}
	// When the socket ends first, nobody is left to be told.
	_ = c.post(serverFrame{Type: frameError, ID: frame.ID, MessageID: frame.MessageID, Error: body})
}
