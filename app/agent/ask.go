package agent

import (
	"context"
	"strings"
	"time"

	"agentstack/app/problem"
)

const (
	// staleAnswer is the age at which an answer that is still in progress has lost its process.
	staleAnswer = 15 * time.Minute
	// answerTimeout bounds an answer, so that one in progress never counts as stale.
	answerTimeout = 14 * time.Minute
)

// Ask stores a question and begins its answer, which goes on when ctx ends. settle, if not nil, is called
// once after the answer's end with the tokens used: as the model server counts them, or else estimated; it is
// not called when Ask fails. Errors are problems: answer_in_progress, model_not_found, context_exceeded,
// retrieval_unavailable, or of the content; or ErrShutdown.
func (s *Sessions) Ask(
	ctx context.Context, tenant, sessionID, content string, settle func(used int64),
) (*Run, error) {
	if strings.TrimSpace(content) == "" {
		return nil, problem.InvalidField("content", "You must provide content: a string that is not blank.")
	}
	if err := checkText("content", content, maxQuestion); err != nil {
		return nil, err
	}
	session, err := s.Store.Session(ctx, tenant, sessionID)
	if err != nil {
		return nil, err
	}
	agent, err := s.Store.Agent(ctx, tenant, session.AgentID)
	if err != nil {
		return nil, err
	}
	prompt, err := s.prompt(ctx, tenant, session, agent, content)
	if err != nil {
		return nil, err
	}
	question, answer := s.turn(session, agent, content)
	request, err := prompt.request(tenant, answer.ID, agent)
	if err != nil {
		return nil, err
	}
	runCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	run := &Run{
		QuestionID: question.ID, MessageID: answer.ID,
		tenant: tenant, sessionID: session.ID, agentID: agent.ID,
		cancel: cancel, done: make(chan struct{}), citations: prompt.citations,
	}
	run.unread = time.AfterFunc(unreadTimeout, func() {
		run.giveUp(func() bool { return s.signalled(runCtx, run.MessageID, SignalReading) })
	})
	if err := s.begin(ctx, run, question, answer); err != nil {
		cancel(err)
		return nil, err
	}
	go s.generate(runCtx, run, request, answer, settle)
	return run, nil
}

func (s *Sessions) turn(session *Session, agent *Agent, content string) (question, answer *Message) {
	now := time.Now()
	question = &Message{
		ID: s.NewID(), SessionID: session.ID, Role: RoleUser, Status: MessageCompleted,
		Content: content, CreatedAt: now,
	}
	answer = &Message{
		ID: s.NewID(), SessionID: session.ID, Role: RoleAssistant, Status: MessageInProgress,
		Model: agent.Model, CreatedAt: now,
	}
	return question, answer
}

// begin stores a turn. A client that goes away meanwhile must not leave an answer in progress that nobody
// generates.
func (s *Sessions) begin(ctx context.Context, run *Run, question, answer *Message) error {
	if err := s.register(run); err != nil {
		run.unread.Stop()
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := s.Store.AddTurn(ctx, run.tenant, question, answer, staleAnswer); err != nil {
		s.forget(run)
		return err
	}
	return nil
}
