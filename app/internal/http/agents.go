package http

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"agentstack/app/account"
	"agentstack/app/agent"
)

func (s *Server) registerAgents() {
	const path, one = "/v1/agents", "/v1/agents/{id}"
	create := s.creation(path, "Create an agent", account.ScopeAgents)
	register(s, s.idempotent(create), s.createAgent)
	register(s, s.operation(http.MethodGet, path, "List agents, newest first", account.ScopeAgents), s.listAgents)
	registerGet(s, one, "agent", account.ScopeAgents, s.Sessions.Agent, toAgent)
	patch := s.operation(http.MethodPatch, one, "Change an agent", account.ScopeAgents)
	patch.Description = "What is absent stays as it is; a temperature of null leaves it to the model (RFC 7396)."
	register(s, patch, s.patchAgent)
	registerDelete(s, one, "agent", account.ScopeAgents, s.Sessions.DeleteAgent)
}

func (s *Server) createAgent(ctx context.Context, in *input[newAgent]) (*output[agentBody], error) {
	created, err := s.Sessions.CreateAgent(ctx, principal(ctx).TenantID, agent.Agent{
		Name:         in.Body.Name,
		Model:        in.Body.Model,
		SystemPrompt: in.Body.SystemPrompt,
		Retrieval:    in.Body.Retrieval,
		Temperature:  in.Body.Temperature,
	})
	if err != nil {
		return nil, err
	}
	return &output[agentBody]{toAgent(created)}, nil
}

func (s *Server) listAgents(ctx context.Context, in *PageInput) (*output[listBody[agentBody]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	agents, err := s.Sessions.Agents(ctx, principal(ctx).TenantID, page)
	if err != nil {
		return nil, err
	}
	list := newList(agents, page, func(a *agent.Agent) string { return a.ID }, toAgent)
	return &output[listBody[agentBody]]{list}, nil
}

type patchInput struct {
	IDInput
	Body agentPatch
}

func (s *Server) patchAgent(ctx context.Context, in *patchInput) (*output[agentBody], error) {
	if err := checkID(in.ID, "agent"); err != nil {
		return nil, err
	}
	changed, err := s.Sessions.UpdateAgent(ctx, principal(ctx).TenantID, in.ID, in.Body.apply)
	if err != nil {
		return nil, err
	}
	return &output[agentBody]{toAgent(changed)}, nil
}

type newAgent struct {
	Name         string   `json:"name" minLength:"1" maxLength:"200" example:"Support"`
	Model        string   `json:"model" minLength:"1" maxLength:"200" doc:"One of /v1/models" example:"gpt-4o-mini"`
	SystemPrompt string   `json:"system_prompt,omitempty" maxLength:"65536"`
	Retrieval    bool     `json:"retrieval,omitempty" doc:"Adds passages of the tenant's documents to each question."`
	Temperature  *float64 `json:"temperature,omitempty" nullable:"true" minimum:"0" maximum:"2" doc:"null: unset"`
}

// agentPatch has the fields to change: what is absent stays as it is (RFC 7396).
type agentPatch struct {
	Name         *string     `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Model        *string     `json:"model,omitempty" minLength:"1" maxLength:"200" doc:"One of /v1/models"`
	SystemPrompt *string     `json:"system_prompt,omitempty" maxLength:"65536"`
	Retrieval    *bool       `json:"retrieval,omitempty"`
	Temperature  temperature `json:"temperature,omitempty" doc:"null: the model's own."`
}

// apply changes an agent. A null for anything but the temperature counts as absent: there is no agent without it.
func (p *agentPatch) apply(a *agent.Agent) {
	set(&a.Name, p.Name)
	set(&a.Model, p.Model)
	set(&a.SystemPrompt, p.SystemPrompt)
	set(&a.Retrieval, p.Retrieval)
	if p.Temperature.given {
		a.Temperature = p.Temperature.value
	}
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// temperature tells an absent field from null.
type temperature struct {
	given bool
	value *float64
}

// UnmarshalJSON is called for null too, unlike that of a pointer's target.
func (t *temperature) UnmarshalJSON(data []byte) error {
	t.given = true
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	return json.Unmarshal(data, &t.value)
}

// Schema implements huma.SchemaProvider.
func (temperature) Schema(huma.Registry) *huma.Schema {
	low, high := 0.0, 2.0
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Minimum: &low, Maximum: &high}
}

type agentBody struct {
	ID           string    `json:"id" format:"uuid"`
	Name         string    `json:"name"`
	Model        string    `json:"model"`
	SystemPrompt string    `json:"system_prompt"`
	Retrieval    bool      `json:"retrieval"`
	Temperature  *float64  `json:"temperature" doc:"null: the model's own."`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
}

func toAgent(a *agent.Agent) agentBody {
	return agentBody{
		ID:           a.ID,
		Name:         a.Name,
		Model:        a.Model,
		SystemPrompt: a.SystemPrompt,
		Retrieval:    a.Retrieval,
		Temperature:  a.Temperature,
		CreatedAt:    stamp(a.CreatedAt),
		UpdatedAt:    stamp(a.UpdatedAt),
	}
}
