package account

import (
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"agentstack/app/problem"
)

const (
	minPassword          = 12   // bytes
	maxPassword          = 1024 // bytes; more would be work for the hasher without being safer
	maxEmail             = 254  // bytes, RFC 5321 section 4.5.3.1.3 without the angle brackets
	maxName              = 200  // characters
	maxRequestsPerMinute = 1_000_000
)

// normalizeEmail returns a bare address in lower case.
func normalizeEmail(email string) (string, error) {
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email || len(email) > maxEmail || !printable(email) {
		return "", problem.InvalidField("email", "must be an e-mail address of at most 254 bytes, as user@example.com")
	}
	return strings.ToLower(email), nil
}

func checkName(param, name string) error {
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxName || !printable(name) {
		return problem.InvalidField(param, "must have 1 to 200 characters, without control characters")
	}
	return nil
}

// printable also keeps out what PostgreSQL cannot store as text.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// checkScopes refuses scopes that are unknown or more than the maker has.
func checkScopes(param string, scopes []Scope, by *Principal) error {
	for _, scope := range scopes {
		if !slices.Contains(Scopes(), scope) {
			return problem.InvalidField(param, "must be some of chat, agents, knowledge, admin")
		}
		if !by.Has(scope) {
			return &problem.Error{
				Kind:    problem.Forbidden,
				Code:    "scope_exceeded",
				Param:   param,
				Message: "You cannot give the scope " + string(scope) + ", because you do not have it.",
			}
		}
	}
	return nil
}

// KeySpec is what a new API key is to be.
type KeySpec struct {
	Name              string // 1 to 200 characters
	Scopes            []Scope
	RequestsPerMinute int        // 0 to 1,000,000; 0 is no limit
	TokensPerDay      int64      // 0 is no limit
	ExpiresAt         *time.Time // nil: never
}

func (k *KeySpec) check(by *Principal, now time.Time) error {
	if err := checkName("name", k.Name); err != nil {
		return err
	}
	if len(k.Scopes) == 0 {
		return problem.InvalidField("scopes", "must have at least one of chat, agents, knowledge, admin")
	}
	if err := checkScopes("scopes", k.Scopes, by); err != nil {
		return err
	}
	if k.RequestsPerMinute < 0 || k.RequestsPerMinute > maxRequestsPerMinute {
		return problem.InvalidField("requests_per_minute", "must be 0 to 1000000")
	}
	if k.TokensPerDay < 0 {
		return problem.InvalidField("tokens_per_day", "must not be negative")
	}
	if k.ExpiresAt != nil && !k.ExpiresAt.After(now) {
		return problem.InvalidField("expires_at", "must be in the future")
	}
	return nil
}
