package http

import (
	"context"
	"net/http"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/problem"
)

type modelBody struct {
	ID      string `json:"id" example:"gpt-4o-mini"`
	Object  string `json:"object" enum:"model"`
	Created int64  `json:"created" doc:"Always 0: unknown"`
	OwnedBy string `json:"owned_by" doc:"Name of the provider that is asked first"`
}

type modelList struct {
	Object string      `json:"object" enum:"list"`
	Data   []modelBody `json:"data" nullable:"false"`
}

type modelOutput struct{ Body modelBody }

type modelListOutput struct{ Body modelList }

type modelInput struct {
	Model string `path:"model" doc:"Name of the model; a slash in it is %2F"`
}

func (s *Server) registerModels() {
	const list, one = "/v1/models", "/v1/models/{model}"
	register(s, s.operation(http.MethodGet, list, "List the models", account.ScopeChat), s.listModels)
	register(s, s.operation(http.MethodGet, one, "Get a model", account.ScopeChat), s.getModel)
}

func (s *Server) listModels(context.Context, *struct{}) (*modelListOutput, error) {
	specs := s.Catalog.Models()
	list := modelList{Object: "list", Data: make([]modelBody, 0, len(specs))}
	for _, spec := range specs {
		list.Data = append(list.Data, viewModel(spec))
	}
	return &modelListOutput{list}, nil
}

func (s *Server) getModel(_ context.Context, input *modelInput) (*modelOutput, error) {
	spec, ok := s.Catalog.Model(input.Model)
	if !ok {
		return nil, &problem.Error{
			Kind:    problem.NotFound,
			Code:    "model_not_found",
			Param:   "model",
			Message: "There is no such model.",
		}
	}
	return &modelOutput{viewModel(spec)}, nil
}

func viewModel(spec agent.ModelSpec) modelBody {
	body := modelBody{ID: spec.Name, Object: "model"}
	if len(spec.Routes) > 0 {
		body.OwnedBy = spec.Routes[0].Provider
	}
	return body
}
