package http

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"agentstack/app/account"
)

// anyScope is the scope of routes that ask only for a valid credential. The empty scope means a public route.
const anyScope account.Scope = "any"

const (
	maxCredential = 4096 // bytes; access tokens have some 400
	// challenge is how WWW-Authenticate begins.
	challenge = `Bearer realm="agentstack"`
)

// authorise finds out who makes a request and whether they may. It never logs the credential. Its errors are
// Problems or those of account.Service. The call's principal is set even when the scope is missing.
func (s *Server) authorise(r *http.Request, scope account.Scope) error {
	credential, err := bearer(r.Header)
	if err != nil {
		return err
	}
	who, err := s.Accounts.Authenticate(r.Context(), credential)
	if err != nil {
		return err
	}
	callOf(r.Context()).principal = who
	if scope != anyScope && !who.Has(scope) {
		answer := newProblem(http.StatusForbidden, "insufficient_scope",
			fmt.Sprintf("The credential lacks the scope %s.", scope))
		answer.authenticate = fmt.Sprintf(`%s, error="insufficient_scope", scope="%s"`, challenge, scope)
		return answer
	}
	return nil
}

// bearer takes the credential out of the Authorization header.
func bearer(header http.Header) (string, error) {
	values := header["Authorization"]
	if len(values) == 0 {
		answer := newProblem(http.StatusUnauthorized, "missing_credentials",
			"Send an API key or an access token: Authorization: Bearer <credential>.")
		answer.authenticate = challenge
		return "", answer
	}
	scheme, credential, _ := strings.Cut(values[0], " ")
	credential = strings.TrimLeft(credential, " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || credential == "" ||
		len(credential) > maxCredential || strings.ContainsFunc(credential, invisible) {
		answer := newProblem(http.StatusUnauthorized, "invalid_credentials",
			"The Authorization header is not Bearer <credential>.")
		answer.authenticate = challenge + `, error="invalid_request"`
		return "", answer
	}
	return credential, nil
}

// credential is the bearer of a request to a public route.
func credential(ctx context.Context) (string, error) { return bearer(callOf(ctx).request.Header) }
