package http

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"agentstack/app/account"
)

// registerResources adds everything that a tenant has to the API.
func (s *Server) registerResources() {
	s.registerAccounts()
	s.registerKeys()
	s.registerAgents()
	s.registerSessions()
	s.registerMessages()
	s.registerDocuments()
	s.registerSearch()
	s.describeSocket()
}

// output is an answer of JSON.
type output[T any] struct{ Body T }

// input is a request with a body of JSON.
type input[T any] struct{ Body T }

// IDInput is a request for one thing. Its id is no UUID by schema, since what has no such id is just not there. It is
// exported because huma skips what is not.
type IDInput struct {
	ID string `path:"id" maxLength:"100" doc:"A UUID"`
}

type noOutput struct{}

// creation is an operation that answers 201.
func (s *Server) creation(path, summary string, scope account.Scope) huma.Operation {
	operation := s.operation(http.MethodPost, path, summary, scope)
	operation.DefaultStatus = http.StatusCreated
	return operation
}

// registerDelete adds a DELETE that answers 204 once, and 404 from then on.
func registerDelete(
	s *Server, path, what string, scope account.Scope, remove func(ctx context.Context, tenant, id string) error,
) {
	operation := s.operation(http.MethodDelete, path, "Delete "+what, scope)
	operation.DefaultStatus = http.StatusNoContent
	register(s, operation, func(ctx context.Context, in *IDInput) (*noOutput, error) {
		if err := checkID(in.ID, what); err != nil {
			return nil, err
		}
		return &noOutput{}, remove(ctx, principal(ctx).TenantID, in.ID)
	})
}

// registerGet adds a GET of one thing.
func registerGet[S, T any](
	s *Server, path, what string, scope account.Scope,
	find func(ctx context.Context, tenant, id string) (*S, error), view func(*S) T,
) {
	operation := s.operation(http.MethodGet, path, "Get "+what, scope)
	register(s, operation, func(ctx context.Context, in *IDInput) (*output[T], error) {
		if err := checkID(in.ID, what); err != nil {
			return nil, err
		}
		found, err := find(ctx, principal(ctx).TenantID, in.ID)
		if err != nil {
			return nil, err
		}
		return &output[T]{view(found)}, nil
	})
}

// stamp gives times the precision of the store, so that what is made equals what is read later.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func stampOf(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	stamped := stamp(*t)
	return &stamped
}
