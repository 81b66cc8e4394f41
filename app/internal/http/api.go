package http

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/problem"
)

const bearerScheme = "bearer"

// newAPI describes the API; its operations come with register.
func newAPI(mux *http.ServeMux, version string) huma.API {
	return humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "AI agent API",
				Version: version,
				Description: "Chat with language models as with OpenAI's API, agents with sessions and " +
					"retrieval, and the accounts to use them. Every error is a problem of RFC 9457.",
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{bearerScheme: {
					Type: "http", Scheme: "bearer", Description: "An API key (ask_…) or an access token.",
				}},
			},
			Tags: []*huma.Tag{
				{Name: "Chat", Description: "OpenAI's chat completions, embeddings and models."},
				{Name: "Agents", Description: "Agents, sessions and messages."},
				{Name: "Knowledge", Description: "Documents and search."},
				{Name: "Accounts", Description: "Sign-up, log-in, users and API keys."},
			},
		},
		// No paths of huma's own: its documentation page loads from other hosts.
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	})
}

var tags = map[string]string{
	"chat": "Chat", "embeddings": "Chat", "models": "Chat",
	"agents": "Agents", "sessions": "Agents", "messages": "Agents", "ws": "Agents",
	"documents": "Knowledge", "search": "Knowledge",
}

// operation describes a route that asks for a scope: "" is public, anyScope any credential. The handler's
// result has status 200 unless DefaultStatus says otherwise. Before the handler runs, the caller is known and
// admitted, and the body is read.
func (s *Server) operation(method, path, summary string, scope account.Scope) huma.Operation {
	tag, ok := tags[strings.Split(strings.TrimPrefix(path, "/v1"), "/")[1]]
	if !ok {
		tag = "Accounts"
	}
	operation := huma.Operation{
		OperationID: operationID(method, path),
		Method:      method,
		Path:        path,
		Summary:     summary,
		Tags:        []string{tag},
		Errors:      []int{http.StatusBadRequest, http.StatusTooManyRequests, http.StatusServiceUnavailable},
		Middlewares: huma.Middlewares{s.guard(method+" "+path, scope)},
		// The guard has limited and read the body. A deadline of huma's would end the request's context.
		MaxBodyBytes:    -1,
		BodyReadTimeout: -1,
	}
	if scope != "" {
		operation.Security = []map[string][]string{{bearerScheme: {}}}
		operation.Errors = append(operation.Errors, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(path, "{") {
		operation.Errors = append(operation.Errors, http.StatusNotFound)
	}
	if method == http.MethodPost || method == http.MethodPatch {
		operation.Errors = append(operation.Errors,
			http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
	}
	return operation
}

func operationID(method, path string) string {
	name := strings.NewReplacer("/v1/", "", "/", "-", "{", "", "}", "").Replace(path)
	return strings.ToLower(method) + "-" + strings.TrimPrefix(name, "-")
}

// metered are the operations whose handlers apply the limits themselves, because only they know how many
// tokens they may take.
var metered = []string{"POST /v1/sessions/{id}/messages", "POST /v1/documents", "POST /v1/search"}

// guard runs before huma looks at a request.
func (s *Server) guard(route string, scope account.Scope) func(huma.Context, func(huma.Context)) {
	admits := scope != "" && !slices.Contains(metered, route)
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		err := s.receive(w, r, scope)
		if err == nil && admits {
			_, err = s.Accounts.Admit(r.Context(), principal(r.Context()), 0)
		}
		if err != nil {
			refuse(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(callOf(r.Context()).body))
		next(ctx)
	}
}

// receive finds out who makes a request, whether they may, and what its body is; both are in the call then.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, scope account.Scope) (err error) {
	limit := int64(maxPublicBody)
	if scope != "" {
		limit = maxBody
		if err := s.authorise(r, scope); err != nil {
			return err
		}
	}
	callOf(r.Context()).body, err = readBody(w, r, limit)
	return err
}

// raw adds an operation whose handler works on the bytes of the call's body and writes the answer itself. huma
// would decode, validate and encode what is only passed through; that costs more than the rest of a chat request.
func (s *Server) raw(operation huma.Operation, scope account.Scope, handler http.HandlerFunc) {
	for _, status := range operation.Errors {
		operation.Responses[strconv.Itoa(status)] = s.problemResponse(status)
	}
	s.api.OpenAPI().AddOperation(&operation)
	s.mux.HandleFunc(operation.Method+" "+operation.Path, func(w http.ResponseWriter, r *http.Request) {
		if err := s.receive(w, r, scope); err != nil {
			refuse(w, r, err)
			return
		}
		handler(w, r)
	})
}

func (s *Server) problemResponse(status int) *huma.Response {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	return &huma.Response{
		Description: http.StatusText(status),
		Content:     map[string]*huma.MediaType{problemMediaType: {Schema: schema}},
	}
}

// register adds an operation to the API and its description. Errors of the handler are answered as problems.
func register[I, O any](s *Server, operation huma.Operation, handler func(context.Context, *I) (*O, error)) {
	huma.Register(s.api, operation, func(ctx context.Context, input *I) (*O, error) {
		output, err := handler(ctx, input)
		if err != nil {
			answer := problemIn(ctx, err)
			note(ctx, answer)
			return nil, answer
		}
		return output, nil
	})
}

// PageInput is the part of a list's input that says which page. It is exported because huma skips what is not.
type PageInput struct {
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Items of a page"`
	After string `query:"after" maxLength:"64" doc:"next_cursor of the page before"`
}

// page fails with a Problem when the cursor is none of ours.
func (p *PageInput) page() (agent.Page, error) {
	page := agent.Page{Limit: p.Limit}
	if p.After == "" {
		return page, nil
	}
	id, err := base64.RawURLEncoding.Strict().DecodeString(p.After)
	if err != nil || !isID(string(id)) {
		answer := newProblem(http.StatusBadRequest, "invalid_cursor", "This is not a cursor of this list.")
		answer.OpenAI.Param = optional("after")
		answer.Errors = []*huma.ErrorDetail{{Message: answer.Detail, Location: "query.after", Value: p.After}}
		return page, answer
	}
	page.Before = string(id)
	return page, nil
}

type listBody[T any] struct {
	Data       []T    `json:"data" nullable:"false"`
	HasMore    bool   `json:"has_more"`
	NextCursor string `json:"next_cursor,omitempty" doc:"after of the next page"`
}

// newList cuts the item that only showed that there are more, and makes the cursor of the last one that stays.
func newList[S, T any](items []S, page agent.Page, id func(*S) string, view func(*S) T) listBody[T] {
	list := listBody[T]{Data: make([]T, 0, len(items))}
	if len(items) > page.Limit {
		items = items[:page.Limit]
		list.HasMore = true
		list.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(id(&items[len(items)-1])))
	}
	for i := range items {
		list.Data = append(list.Data, view(&items[i]))
	}
	return list
}

// isID tells whether an id has the form of ours: a UUID in lower case.
func isID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

// checkID fails with problem.NotFound for ids that cannot be: nothing has them.
func checkID(id, what string) error {
	if !isID(id) {
		return problem.Missing(what)
	}
	return nil
}
