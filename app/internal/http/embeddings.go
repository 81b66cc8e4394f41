package http

import (
	"net/http"

	"agentstack/app/account"
	"agentstack/app/agent"
)

// EmbeddingsRequest is the body of POST /v1/embeddings.
type EmbeddingsRequest struct {
	_     struct{} `additionalProperties:"true"`
	Model string   `json:"model" minLength:"1" example:"text-embedding-3-small" doc:"One of /v1/models"`
	Input any      `json:"input" example:"\"What is a pod?\"" doc:"Text or tokens, one or more"`
}

// Embeddings is the answer to it.
type Embeddings struct {
	_      struct{}    `additionalProperties:"true"`
	Object string      `json:"object" example:"list"`
	Data   []Embedding `json:"data"`
	Model  string      `json:"model"`
	Usage  *ChatUsage  `json:"usage,omitempty"`
}

// Embedding is the vector of one input.
type Embedding struct {
	_         struct{} `additionalProperties:"true"`
	Object    string   `json:"object" example:"embedding"`
	Index     int      `json:"index"`
	Embedding any      `json:"embedding" doc:"An array of numbers, or base64 of them if that was asked for"`
}

func (s *Server) registerEmbeddings() {
	operation := s.operation(http.MethodPost, "/v1/embeddings", "Turn texts into vectors", account.ScopeChat)
	operation.Description = passedOn
	describeBodies[EmbeddingsRequest, Embeddings](s, &operation)
	operation.Parameters = append(operation.Parameters, idempotencyParam())
	s.raw(operation, account.ScopeChat, s.once(s.embeddings))
}

func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) {
	answer, err := s.embed(r)
	if err != nil {
		refuse(w, r, err)
		return
	}
	writeBytes(w, http.StatusOK, jsonMediaType, answer.Body)
}

func (s *Server) embed(r *http.Request) (*agent.EmbeddingAnswer, error) {
	ctx := r.Context()
	request, err := agent.ParseEmbeddingRequest(callOf(ctx).body)
	if err != nil {
		return nil, err
	}
	estimate := request.EstimatedTokens()
	settle, err := s.Accounts.Admit(ctx, principal(ctx), estimate)
	if err != nil {
		return nil, err
	}
	answer, err := s.Embeddings.Embed(ctx, request)
	if err != nil {
		settle(spent(nil, clientGone(ctx), estimate))
		return nil, err
	}
	settle(spent(answer.Usage, true, estimate))
	return answer, nil
}
