package llm

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"

	"agentstack/app/agent"
)

// defaultContextTokens is for models whose specification leaves it out.
const defaultContextTokens = 128000

// Router leads a request to the providers of its model, in the order of its routes.
type Router struct {
	exact     map[string]agent.ModelSpec
	wildcards []agent.ModelSpec // the longest first
	listed    []agent.ModelSpec
	providers map[string]*guarded
	log       *slog.Logger
}

// NewRouter returns a router with a circuit breaker for each provider. A route to a provider that is not
// among them is left out and logged.
func NewRouter(models []agent.ModelSpec, providers map[string]Provider, log *slog.Logger) *Router {
	r := &Router{exact: map[string]agent.ModelSpec{}, providers: map[string]*guarded{}, log: log}
	for name, provider := range providers {
		r.providers[name] = newGuarded(name, provider, log)
	}
	for _, spec := range models {
		spec.ContextTokens = cmp.Or(spec.ContextTokens, defaultContextTokens)
		spec.Routes = slices.DeleteFunc(slices.Clone(spec.Routes), func(route agent.Route) bool {
			unknown := r.providers[route.Provider] == nil
			if unknown {
				log.Error("route to unknown provider", "model", spec.Name, "provider", route.Provider)
			}
			return unknown
		})
		if strings.HasSuffix(spec.Name, "*") {
			r.wildcards = append(r.wildcards, spec)
			continue
		}
		r.exact[spec.Name] = spec
		r.listed = append(r.listed, spec)
	}
	slices.SortFunc(r.listed, func(a, b agent.ModelSpec) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(r.wildcards, func(a, b agent.ModelSpec) int { return len(b.Name) - len(a.Name) })
	return r
}

// Model implements agent.Catalog.
func (r *Router) Model(name string) (agent.ModelSpec, bool) {
	if spec, ok := r.exact[name]; ok {
		return spec, true
	}
	for _, spec := range r.wildcards {
		if strings.HasPrefix(name, strings.TrimSuffix(spec.Name, "*")) {
			spec.Name = name
			return spec, true
		}
	}
	return agent.ModelSpec{}, false
}

// Models implements agent.Catalog.
func (r *Router) Models() []agent.ModelSpec {
	return slices.Clone(r.listed)
}

// Complete implements agent.Model.
func (r *Router) Complete(ctx context.Context, request *agent.ChatRequest) (*agent.Completion, error) {
	call := call{id: request.ID, model: request.Model, body: request.Body}
	return follow(ctx, r, call, func(p Provider, model string, body []byte) (*agent.Completion, error) {
		routed := *request
		routed.Model, routed.Body = model, body
		return p.Complete(ctx, &routed)
	})
}

// Stream implements agent.Model. It returns when the first chunk has come: until then, the next route may
// serve.
func (r *Router) Stream(ctx context.Context, request *agent.ChatRequest) (agent.Stream, error) {
	call := call{id: request.ID, model: request.Model, body: request.Body}
	return follow(ctx, r, call, func(p Provider, model string, body []byte) (agent.Stream, error) {
		routed := *request
		routed.Model, routed.Body = model, body
		return begin(ctx, p, &routed)
	})
}

// Embed implements agent.EmbeddingModel.
func (r *Router) Embed(ctx context.Context, request *agent.EmbeddingRequest) (*agent.EmbeddingAnswer, error) {
	call := call{model: request.Model, body: request.Body}
	return follow(ctx, r, call, func(p Provider, model string, body []byte) (*agent.EmbeddingAnswer, error) {
		return p.Embed(ctx, &agent.EmbeddingRequest{Model: model, Body: body})
	})
}
