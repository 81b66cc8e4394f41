package http

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/problem"
)

const (
	// bytesPerToken and answerTokens estimate what a question takes from a budget until its usage is known.
	bytesPerToken = 4
	answerTokens  = 256
)

func (s *Server) registerMessages() {
	const path = "/v1/sessions/{id}/messages"
	list := s.operation(http.MethodGet, path, "List a session's messages, newest first", account.ScopeAgents)
	register(s, list, s.listMessages)
	register(s, s.idempotent(s.askOperation(path)), s.ask)
	registerGet(s, "/v1/messages/{id}", "message", account.ScopeAgents, s.Sessions.Message, toMessage)
	events := s.operation(http.MethodGet, "/v1/messages/{id}/events", "Read an answer as it comes, or again",
		account.ScopeAgents)
	events.Description = "Server-sent events after Last-Event-ID, or after the seq in the query, up to the end. " +
		"When the events begin with seq 1 again, they replace what the client has."
	events.Responses = map[string]*huma.Response{"200": eventsResponse(s)}
	register(s, events, s.messageEvents)
}

func (s *Server) askOperation(path string) huma.Operation {
	operation := s.creation(path, "Ask a question", account.ScopeAgents)
	operation.Description = "Answers 201 with the whole answer; or, with stream, server-sent events: a message " +
		"with the ids of question and answer, then the events of the answer, whose ids serve to resume it at " +
		"/v1/messages/{id}/events. The answer goes on when the client leaves, for 60 seconds without a reader. " +
		"An answer that fails is a 502 answer_failed, one that is interrupted a 503 answer_interrupted; " +
		"both tell its id."
	operation.Errors = append(operation.Errors, http.StatusConflict, http.StatusBadGateway)
	operation.Responses = map[string]*huma.Response{
		"200": eventsResponse(s),
		"201": {
			Description: "The answer",
			Content:     map[string]*huma.MediaType{jsonMediaType: {Schema: schemaOf[messageBody](s)}},
		},
	}
	return operation
}

func eventsResponse(s *Server) *huma.Response {
	return &huma.Response{
		Description: "Events",
		Content:     map[string]*huma.MediaType{"text/event-stream": streamOf[agent.Event](s)},
	}
}

type newMessage struct {
	Content string `json:"content" minLength:"1" maxLength:"1048576" example:"How many days off do I have?"`
	Stream  bool   `json:"stream,omitempty" doc:"Answer with server-sent events as they come."`
}

type messageBody struct {
	ID        string           `json:"id" format:"uuid"`
	SessionID string           `json:"session_id" format:"uuid"`
	Role      string           `json:"role" enum:"user,assistant"`
	Status    string           `json:"status" enum:"in_progress,completed,failed,interrupted"`
	Content   string           `json:"content" doc:"Of an answer: as much of it as came."`
	Error     string           `json:"error,omitempty" doc:"Why an answer failed or was interrupted."`
	Model     string           `json:"model,omitempty"`
	Usage     *agent.Usage     `json:"usage,omitempty"`
	Citations []agent.Citation `json:"citations,omitempty" doc:"The content refers to them as [number]."`
	CreatedAt time.Time        `json:"created_at"`
}

func toMessage(m *agent.Message) messageBody {
	return messageBody{
		ID:        m.ID,
		SessionID: m.SessionID,
		Role:      string(m.Role),
		Status:    string(m.Status),
		Content:   m.Content,
		Error:     m.Error,
		Model:     m.Model,
		Usage:     m.Usage,
		Citations: m.Citations,
		CreatedAt: stamp(m.CreatedAt),
	}
}

// SessionPageInput is a page of what a session has.
type SessionPageInput struct {
	IDInput
	PageInput
}

func (s *Server) listMessages(ctx context.Context, in *SessionPageInput) (*output[listBody[messageBody]], error) {
	if err := checkID(in.ID, "session"); err != nil {
		return nil, err
	}
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	messages, err := s.Sessions.Messages(ctx, principal(ctx).TenantID, in.ID, page)
	if err != nil {
		return nil, err
	}
	list := newList(messages, page, func(m *agent.Message) string { return m.ID }, toMessage)
	return &output[listBody[messageBody]]{list}, nil
}

type askInput struct {
	IDInput
	Body newMessage
}

// ask answers as a whole or in events; huma's streams can do both.
func (s *Server) ask(ctx context.Context, in *askInput) (*huma.StreamResponse, error) {
	if in.Body.Stream {
		return s.askStream(ctx, in)
	}
	run, err := s.begin(ctx, principal(ctx), in.ID, in.Body.Content)
	if err != nil {
		return nil, err
	}
	message, err := run.Wait(ctx)
	if err != nil {
		return nil, err
	}
	if err := unanswered(message); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(call huma.Context) {
		_, w := humago.Unwrap(call)
		writeBody(w, http.StatusCreated, jsonMediaType, toMessage(message))
	}}, nil
}

// begin asks within the budget of who asks.
func (s *Server) begin(ctx context.Context, who *account.Principal, session, content string) (*agent.Run, error) {
	if err := checkID(session, "session"); err != nil {
		return nil, err
	}
	settle, err := s.Accounts.Admit(ctx, who, int64(len(content))/bytesPerToken+answerTokens)
	if err != nil {
		return nil, err
	}
	run, err := s.Sessions.Ask(ctx, who.TenantID, session, content, settle)
	if err != nil {
		settle(0)
		return nil, err
	}
	return run, nil
}

// unanswered is what a client that waits for the whole answer is told when it did not come to its end.
func unanswered(message *agent.Message) error {
	switch message.Status {
	case agent.MessageFailed:
		answer := newProblem(http.StatusBadGateway, "answer_failed",
			fmt.Sprintf("The answer %s failed: %s", message.ID, message.Error))
		answer.OpenAI.Type = typeModel
		return answer
	case agent.MessageInterrupted:
		return problem.New(problem.Unavailable, "answer_interrupted",
			fmt.Sprintf("The answer %s was interrupted: %s", message.ID, message.Error))
	default:
		return nil
	}
}

type eventsInput struct {
	IDInput
	After       int    `query:"after" minimum:"0" doc:"The last seq that the client has"`
	LastEventID string `header:"Last-Event-ID" maxLength:"20" doc:"The same, and it wins over after"`
}

func (s *Server) messageEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	after := in.After
	if in.LastEventID != "" {
		var err error
		if after, err = strconv.Atoi(in.LastEventID); err != nil || after < 0 {
			return nil, problem.New(problem.Invalid, "invalid_last_event_id",
				"Last-Event-ID is not an id of these events.")
		}
	}
	if err := checkID(in.ID, "answer"); err != nil {
		return nil, err
	}
	end, err := s.beginStream()
	if err != nil {
		return nil, err
	}
	events, err := s.Sessions.Follow(ctx, principal(ctx).TenantID, in.ID, after)
	if err != nil {
		end()
		return nil, err
	}
	return sendEvents(end, func(r *http.Request, out *liveEvents) {
		out.comment() // the client gets to know that it is connected before the next event
		out.sendAll(r, events)
	}), nil
}
