package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"agentstack/app/agent"
)

// insertExchanges takes rows as one JSON array: a statement for each row would be parsed and planned for each, which
// costs more than its insertion. A row that is there already is written again: the attempt that did it may have been
// cut off while it waited for a replica, and only a commit that writes waits for one.
const insertExchanges = `
INSERT INTO exchanges (id, tenant_id, key_id, created_at, duration_ms, request_id, region, model, answer_model,
	streamed, cached, status, error, finish_reason, prompt_tokens, completion_tokens, request, response)
SELECT id, tenant_id, key_id, created_at, duration_ms, request_id, $2, model, answer_model,
	streamed, cached, status, error, finish_reason, prompt_tokens, completion_tokens, request, response
FROM json_to_recordset($1::json) AS row (id uuid, tenant_id uuid, key_id uuid, created_at timestamptz,
	duration_ms bigint, request_id text, model text, answer_model text, streamed boolean, cached boolean,
	status text, error text, finish_reason text, prompt_tokens integer, completion_tokens integer,
	request jsonb, response text)
ON CONFLICT (id) DO UPDATE SET id = excluded.id`

// row is an exchange as insertExchanges takes it.
type row struct {
	ID               string          `json:"id"`
	TenantID         *string         `json:"tenant_id"`
	KeyID            *string         `json:"key_id"`
	CreatedAt        time.Time       `json:"created_at"`
	DurationMS       int64           `json:"duration_ms"`
	RequestID        string          `json:"request_id"`
	Model            string          `json:"model"`
	AnswerModel      string          `json:"answer_model"`
	Streamed         bool            `json:"streamed"`
	Cached           bool            `json:"cached"`
	Status           string          `json:"status"`
	Error            string          `json:"error"`
	FinishReason     string          `json:"finish_reason"`
	PromptTokens     *int            `json:"prompt_tokens"`
	CompletionTokens *int            `json:"completion_tokens"`
	Request          json.RawMessage `json:"request"`
	Response         string          `json:"response"`

	wrapped bool
	written chan error // one for each attempt
}

func newRow(x *agent.Exchange) (*row, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make exchange id: %w", err)
	}
	r := &row{
		ID: id.String(), TenantID: optionalID(x.TenantID), KeyID: optionalID(x.KeyID),
		CreatedAt: x.StartedAt, DurationMS: x.Duration.Milliseconds(),
		RequestID: plain(x.RequestID), Model: plain(x.Model), AnswerModel: plain(x.Answer.Model),
		Status: string(x.Status), Error: plain(x.Error), FinishReason: plain(x.Answer.FinishReason),
		Streamed: x.Stream, Cached: x.Cached, Request: x.Request, Response: plain(x.Answer.Text),
		written: make(chan error, 1),
	}
	if usage := x.Answer.Usage; usage != nil {
		r.PromptTokens, r.CompletionTokens = &usage.PromptTokens, &usage.CompletionTokens
	}
	return r, nil
}

func (r *row) bytes() int { return len(r.Request) + len(r.Response) }

// wrapRequest turns JSON that jsonb refuses, such as one with \u0000, into one JSON string, which it accepts. It
// returns false the second time.
func (r *row) wrapRequest() bool {
	if r.wrapped {
		return false
	}
	encoded, err := json.Marshal(string(r.Request)) // fails for no string
	r.Request, r.wrapped = encoded, true
	return err == nil
}

// plain makes a string that a text column can hold.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// optionalID is NULL for what is no UUID.
func optionalID(id string) *string {
	if uuid.Validate(id) != nil {
		return nil
	}
	return &id
}
