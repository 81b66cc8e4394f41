package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotent-Replayed"
	maxIdempotencyKey = 255
	// keepTimeout bounds storing an answer or giving a key up; the client may be gone by then. It is longer than the
	// store waits for its database.
	keepTimeout = 35 * time.Second
)

// idempotent makes an operation answer a repeated Idempotency-Key with what it answered first. The secrets are
// top-level fields of the answer that are not stored.
func (s *Server) idempotent(operation huma.Operation, secrets ...string) huma.Operation {
	operation.Errors = append(operation.Errors, http.StatusConflict)
	operation.Parameters = append(operation.Parameters, idempotencyParam())
	operation.Middlewares = append(operation.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		s.once(func(w http.ResponseWriter, r *http.Request) {
			next(humago.NewContext(ctx.Operation(), r, w))
		}, secrets...)(w, r)
	})
	return operation
}

func idempotencyParam() *huma.Param {
	longest := maxIdempotencyKey
	return &huma.Param{
		Name: idempotencyHeader,
		In:   "header",
		Description: "Any text of the client's own. For 24 hours, the same key with the same body gets the " +
			"same answer again, with Idempotent-Replayed: true.",
		Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &longest, Pattern: "^[!-~]+$"},
	}
}

// once runs a handler behind the idempotency key of the request, if it has one.
func (s *Server) once(next http.HandlerFunc, secrets ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		keys := r.Header[idempotencyHeader]
		if len(keys) == 0 {
			next(w, r)
			return
		}
		key := keys[0]
		if len(keys) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, invisible) {
			refuse(w, r, newProblem(http.StatusBadRequest, "invalid_idempotency_key",
				"Idempotency-Key must be 1 to 255 visible ASCII characters."))
			return
		}
		scope := r.Method + " " + r.URL.EscapedPath()
		if len(scope) > maxIdempotencyKey {
			next(w, r) // ids are short: nothing is there
			return
		}
		claim := claim{s.Idempotency, principal(r.Context()).TenantID, scope, key}
		stored, err := claim.begin(r)
		switch {
		case err != nil:
			refuse(w, r, err)
		case stored != nil:
			w.Header().Set(replayedHeader, "true")
			writeBytes(w, stored.Status, stored.ContentType, stored.Body)
		default:
			s.runOnce(claim, next, secrets, w, r)
		}
	}
}

// runOnce keeps the answer before it is sent: no client shall have an answer that a repetition does not get.
func (s *Server) runOnce(
	c claim, next http.HandlerFunc, secrets []string, w http.ResponseWriter, r *http.Request,
) {
	answer := &capture{ResponseWriter: w}
	finished := false
	defer func() {
		if !finished {
			s.logStore(r, c.forget(r.Context()))
		}
	}()
	next(answer, r)
	if !answer.keep() {
		answer.send()
		return
	}
	stored := &agent.StoredAnswer{
		Status:      answer.status,
		ContentType: w.Header().Get("Content-Type"),
		Body:        without(answer.body.Bytes(), secrets),
	}
	if err := c.finish(r.Context(), stored); err != nil {
		s.logStore(r, err)
	} else {
		finished = true
	}
	answer.send()
}

func (s *Server) logStore(r *http.Request, err error) {
	if err != nil {
		s.Log.Warn("idempotency key not kept", "request_id", requestID(r.Context()), "error", err)
	}
}

// claim is a key of a tenant that a request holds.
type claim struct {
	store              agent.IdempotencyStore
	tenant, scope, key string
}

func (c claim) begin(r *http.Request) (*agent.StoredAnswer, error) {
	fingerprint := sha256.New()
	fingerprint.Write([]byte(r.Header.Get("Content-Type") + "\n"))
	fingerprint.Write(callOf(r.Context()).body)
	stored, err := c.store.Begin(r.Context(), c.tenant, c.scope, c.key, fingerprint.Sum(nil))
	var known *problem.Error
	if err != nil && !errors.As(err, &known) {
		return nil, errors.Join(agent.ErrStorage, err)
	}
	return stored, err
}

func (c claim) finish(ctx context.Context, answer *agent.StoredAnswer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	return c.store.Finish(ctx, c.tenant, c.scope, c.key, answer)
}

func (c claim) forget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	return c.store.Forget(ctx, c.tenant, c.scope, c.key)
}

// capture holds an answer back until it is stored. Streams pass through.
type capture struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	stream bool
}

func (c *capture) WriteHeader(status int) {
	if c.status != 0 {
		return
	}
	c.status = status
	if strings.HasPrefix(c.Header().Get("Content-Type"), "text/event-stream") {
		c.stream = true
		c.ResponseWriter.WriteHeader(status)
	}
}

func (c *capture) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if c.stream {
		return c.ResponseWriter.Write(p)
	}
	return c.body.Write(p)
}

// Unwrap serves http.ResponseController.
func (c *capture) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// keep tells whether the answer would be the same another time: not when the server failed, when something has
// to end or to pass first, or when there is no answer because the client went away.
func (c *capture) keep() bool {
	switch c.status {
	case 0, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	default:
		return !c.stream && c.status < http.StatusInternalServerError
	}
}

func (c *capture) send() {
	if c.status == 0 || c.stream {
		return
	}
	c.ResponseWriter.WriteHeader(c.status)
	if c.body.Len() > 0 {
		_, _ = c.ResponseWriter.Write(c.body.Bytes()) // the client may be gone; its key has the answer
	}
}

// without removes fields of a JSON object.
func without(body []byte, names []string) []byte {
	var fields map[string]json.RawMessage
	if len(names) == 0 || json.Unmarshal(body, &fields) != nil {
		return body
	}
	for _, name := range names {
		delete(fields, name)
	}
	kept, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return kept
}

func invisible(c rune) bool { return c <= ' ' || c > '~' }
