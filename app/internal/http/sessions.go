package http

import (
	"context"
	"net/http"
	"time"

	"agentstack/app/account"
	"agentstack/app/agent"
)

func (s *Server) registerSessions() {
	const path, one = "/v1/sessions", "/v1/sessions/{id}"
	create := s.creation(path, "Begin a session with an agent", account.ScopeAgents)
	register(s, s.idempotent(create), s.createSession)
	register(s, s.operation(http.MethodGet, path, "List sessions, newest first", account.ScopeAgents), s.listSessions)
	registerGet(s, one, "session", account.ScopeAgents, s.Sessions.Session, toSession)
	registerDelete(s, one, "session", account.ScopeAgents, s.Sessions.DeleteSession)
}

func (s *Server) createSession(ctx context.Context, in *input[newSession]) (*output[sessionBody], error) {
	if err := checkID(in.Body.AgentID, "agent"); err != nil {
		return nil, err
	}
	created, err := s.Sessions.CreateSession(ctx, principal(ctx).TenantID, in.Body.AgentID, in.Body.Title)
	if err != nil {
		return nil, err
	}
	return &output[sessionBody]{toSession(created)}, nil
}

func (s *Server) listSessions(ctx context.Context, in *PageInput) (*output[listBody[sessionBody]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	sessions, err := s.Sessions.Sessions(ctx, principal(ctx).TenantID, page)
	if err != nil {
		return nil, err
	}
	list := newList(sessions, page, func(s *agent.Session) string { return s.ID }, toSession)
	return &output[listBody[sessionBody]]{list}, nil
}

type newSession struct {
	AgentID string `json:"agent_id" maxLength:"100" doc:"A UUID."`
	Title   string `json:"title,omitempty" maxLength:"200" example:"Days off"`
}

type sessionBody struct {
	ID        string    `json:"id" format:"uuid"`
	AgentID   string    `json:"agent_id" format:"uuid"`
	Title     string    `json:"title"`
	CreatedAt time.Time `json:"created_at"`
}

func toSession(s *agent.Session) sessionBody {
	return sessionBody{ID: s.ID, AgentID: s.AgentID, Title: s.Title, CreatedAt: stamp(s.CreatedAt)}
}
