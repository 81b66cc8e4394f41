package agent

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"agentstack/app/problem"
)

// The limits of what clients write.
const (
	maxName         = 200      // characters, of an agent's name and of a session's title
	maxSystemPrompt = 64 << 10 // bytes
	maxQuestion     = 1 << 20  // bytes
	maxTemperature  = 2.0
)

// CreateAgent stores an agent under a new id. Its errors are problems of the fields of the draft, or
// model_not_found.
func (s *Sessions) CreateAgent(ctx context.Context, tenant string, draft Agent) (*Agent, error) {
	if err := s.checkAgent(&draft); err != nil {
		return nil, err
	}
	draft.ID, draft.CreatedAt = s.NewID(), time.Now()
	draft.UpdatedAt = draft.CreatedAt
	if err := s.Store.CreateAgent(ctx, tenant, &draft); err != nil {
		return nil, err
	}
	return &draft, nil
}

// UpdateAgent stores what change makes of an agent. Of two at once the later one wins as a whole.
func (s *Sessions) UpdateAgent(ctx context.Context, tenant, id string, change func(*Agent)) (*Agent, error) {
	agent, err := s.Store.Agent(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	created := agent.CreatedAt
	change(agent)
	if err := s.checkAgent(agent); err != nil {
		return nil, err
	}
	agent.ID, agent.CreatedAt, agent.UpdatedAt = id, created, time.Now()
	if err := s.Store.UpdateAgent(ctx, tenant, agent); err != nil {
		return nil, err
	}
	return agent, nil
}

// Agent returns an agent.
func (s *Sessions) Agent(ctx context.Context, tenant, id string) (*Agent, error) {
	return s.Store.Agent(ctx, tenant, id)
}

// Agents lists agents, newest first.
func (s *Sessions) Agents(ctx context.Context, tenant string, page Page) ([]Agent, error) {
	return s.Store.Agents(ctx, tenant, page)
}

// DeleteAgent removes an agent with its sessions and messages, and ends its answers in progress.
func (s *Sessions) DeleteAgent(ctx context.Context, tenant, id string) error {
	if err := s.Store.DeleteAgent(ctx, tenant, id); err != nil {
		return err
	}
	s.cancelWhere(func(run *Run) bool { return run.agentID == id })
	return nil
}

// CreateSession begins a conversation with an agent of the tenant. The title may be empty.
func (s *Sessions) CreateSession(ctx context.Context, tenant, agentID, title string) (*Session, error) {
	if err := checkText("title", title, maxName*utf8.UTFMax); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(title) > maxName {
		return nil, problem.InvalidField("title", fmt.Sprintf("title must have at most %d characters.", maxName))
	}
	session := &Session{ID: s.NewID(), AgentID: agentID, Title: title, CreatedAt: time.Now()}
	if err := s.Store.CreateSession(ctx, tenant, session); err != nil {
		return nil, err
	}
	return session, nil
}

// Session returns a session.
func (s *Sessions) Session(ctx context.Context, tenant, id string) (*Session, error) {
	return s.Store.Session(ctx, tenant, id)
}

// Sessions lists sessions, newest first.
func (s *Sessions) Sessions(ctx context.Context, tenant string, page Page) ([]Session, error) {
	return s.Store.Sessions(ctx, tenant, page)
}

// DeleteSession removes a session with its messages, and ends its answer in progress.
func (s *Sessions) DeleteSession(ctx context.Context, tenant, id string) error {
	if err := s.Store.DeleteSession(ctx, tenant, id); err != nil {
		return err
	}
	s.cancelWhere(func(run *Run) bool { return run.sessionID == id })
	return nil
}

// Message returns a question or an answer.
func (s *Sessions) Message(ctx context.Context, tenant, id string) (*Message, error) {
	return s.Store.Message(ctx, tenant, id)
}

// Messages lists the messages of a session, newest first.
func (s *Sessions) Messages(ctx context.Context, tenant, sessionID string, page Page) ([]Message, error) {
	return s.Store.Messages(ctx, tenant, sessionID, page)
}

func (s *Sessions) checkAgent(agent *Agent) error {
	if err := checkText("name", agent.Name, maxName*utf8.UTFMax); err != nil {
		return err
	}
	if strings.TrimSpace(agent.Name) == "" || utf8.RuneCountInString(agent.Name) > maxName {
		return problem.InvalidField("name", fmt.Sprintf("name must have 1 to %d characters.", maxName))
	}
	if err := checkText("system_prompt", agent.SystemPrompt, maxSystemPrompt); err != nil {
		return err
	}
	if t := agent.Temperature; t != nil && !(*t >= 0 && *t <= maxTemperature) {
		return problem.InvalidField("temperature",
			fmt.Sprintf("temperature must be from 0 to %g.", maxTemperature))
	}
	if _, ok := s.Catalog.Model(agent.Model); !ok {
		return unknownModel(agent.Model)
	}
	return nil
}

func unknownModel(name string) error {
	return &problem.Error{
		Kind: problem.Unprocessable, Code: "model_not_found", Param: "model",
		Message: fmt.Sprintf("The model %q does not exist.", name),
	}
}

// checkText refuses what the database cannot keep as text, and what is larger than limit bytes.
func checkText(param, text string, limit int) error {
	switch {
	case len(text) > limit:
		return problem.InvalidField(param, fmt.Sprintf("%s must have at most %d bytes.", param, limit))
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return problem.InvalidField(param, param+" must be valid UTF-8 without NUL.")
	default:
		return nil
	}
}
