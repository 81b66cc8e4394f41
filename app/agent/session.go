package agent

import (
	"context"
	"time"
)

// Agent is how a tenant wants its questions answered.
type Agent struct {
	ID           string
	Name         string
	Model        string
	SystemPrompt string
	// Retrieval adds passages of the tenant's documents to each question.
	Retrieval bool
	// Temperature as the model takes it; nil leaves it to the model.
	Temperature          *float64
	CreatedAt, UpdatedAt time.Time
}

// Session is a conversation with an agent.
type Session struct {
	ID, AgentID, Title string
	CreatedAt          time.Time
}

// Role says who wrote a message.
type Role string

// The roles.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
)

// MessageStatus says how far a message is.
type MessageStatus string

// A user's message is always completed. An answer is in_progress until it ends in one of the other ways.
const (
	MessageInProgress  MessageStatus = "in_progress"
	MessageCompleted   MessageStatus = "completed"
	MessageFailed      MessageStatus = "failed"
	MessageInterrupted MessageStatus = "interrupted" // given up by the client, or ended by a shutdown
)

// Message is a turn of a session. IDs are UUIDv7, so they sort by time.
type Message struct {
	ID, SessionID string
	Role          Role
	Status        MessageStatus
	Content       string // of an answer: as much of it as came
	Error         string // for people; empty when completed
	Model         string
	Usage         *Usage
	Citations     []Citation
	CreatedAt     time.Time
}

// Citation says where a part of an answer comes from. The answer refers to it as [Number].
type Citation struct {
	Number     int     `json:"number"`
	DocumentID string  `json:"document_id"`
	ChunkID    string  `json:"chunk_id"`
	Title      string  `json:"title"`
	Excerpt    string  `json:"excerpt"`
	Score      float64 `json:"score"`
}

// Page asks for part of a list, newest first.
type Page struct {
	Limit  int    // at least 1; stores return up to Limit+1 items, so that the caller sees whether there are more
	Before string // id of the last item of the page before; empty for the first page
}

// SessionStore keeps agents, sessions and messages. What belongs to another tenant does not exist: a
// problem.NotFound.
type SessionStore interface {
	CreateAgent(ctx context.Context, tenant string, agent *Agent) error
	Agent(ctx context.Context, tenant, id string) (*Agent, error)
	Agents(ctx context.Context, tenant string, page Page) ([]Agent, error)
	UpdateAgent(ctx context.Context, tenant string, agent *Agent) error
	// DeleteAgent removes an agent with its sessions and messages.
	DeleteAgent(ctx context.Context, tenant, id string) error

	// CreateSession fails with problem.NotFound when the tenant has no such agent.
	CreateSession(ctx context.Context, tenant string, session *Session) error
	Session(ctx context.Context, tenant, id string) (*Session, error)
	Sessions(ctx context.Context, tenant string, page Page) ([]Session, error)
	DeleteSession(ctx context.Context, tenant, id string) error

	// AddTurn stores a question and its answer in progress, both or neither. While another answer of the session is
	// in progress, it fails with problem.Conflict, code answer_in_progress; one whose CreatedAt is older than
	// stale is set to interrupted instead.
	AddTurn(ctx context.Context, tenant string, question, answer *Message, stale time.Duration) error
	// FinishMessage stores an answer's end. It tries again until ctx ends.
	FinishMessage(ctx context.Context, tenant string, answer *Message) error
	Message(ctx context.Context, tenant, id string) (*Message, error)
	// Messages lists a session's messages, newest first.
	Messages(ctx context.Context, tenant, sessionID string, page Page) ([]Message, error)
}

// Retriever finds passages of a tenant's documents for a question.
type Retriever interface {
	Retrieve(ctx context.Context, tenant, question string) ([]Citation, error)
}

// Event is a step of an answer, as SSE and WebSocket clients get it.
type Event struct {
	Seq  int       `json:"seq"` // from 1, without gaps
	Type EventType `json:"type"`
	// Text is what a delta adds.
	Text string `json:"text,omitempty"`
	// Citations come once, before the first delta.
	Citations []Citation `json:"citations,omitempty"`
	// Status, Usage and Error come with the last event.
	Status MessageStatus `json:"status,omitempty"`
	Usage  *Usage        `json:"usage,omitempty"`
	Error  string        `json:"error,omitempty"`
}

// EventType is the type of an event.
type EventType string

// The types of events. An answer has citations (or none), deltas, and one end.
const (
	EventCitations EventType = "citations"
	EventDelta     EventType = "delta"
	EventEnd       EventType = "end"
)

// EventLog shares the events of answers in progress between replicas. Losing them is never an error of an answer:
// what is complete is in the SessionStore.
type EventLog interface {
	// Append adds events of one message, in order.
	Append(ctx context.Context, messageID string, events []Event) error
	// Read returns the events after a sequence number, waiting up to wait for the first. It returns none when
	// there is nothing (any more).
	Read(ctx context.Context, messageID string, after int, wait time.Duration) ([]Event, error)
}
