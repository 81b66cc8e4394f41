package http

import (
	"context"
	"net/http"
	"time"

	"agentstack/app/account"
)

func (s *Server) registerAccounts() {
	signUp := s.creation("/v1/signup", "Make a tenant and its owner", "")
	signUp.Description = "The bearer is the operator's sign-up token."
	signUp.Security = []map[string][]string{{bearerScheme: {}}}
	signUp.Errors = append(signUp.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict)
	register(s, signUp, s.signUp)
	create := s.creation("/v1/users", "Make a user of the tenant", account.ScopeAdmin)
	register(s, s.idempotent(create), s.createUser)
	register(s, s.operation(http.MethodGet, "/v1/me", "Who the credential stands for", anyScope), s.me)

	logIn := s.operation(http.MethodPost, "/v1/auth/login", "Log in, at most 10 times a minute", "")
	logIn.Errors = append(logIn.Errors, http.StatusUnauthorized)
	register(s, logIn, s.logIn)
	refresh := s.operation(http.MethodPost, "/v1/auth/refresh", "Get new tokens", "")
	refresh.Description = "A refresh token works once. When it comes again, the login ends."
	refresh.Errors = append(refresh.Errors, http.StatusUnauthorized)
	register(s, refresh, s.refresh)
	logOut := s.operation(http.MethodPost, "/v1/auth/logout", "End the login", "")
	logOut.DefaultStatus = http.StatusNoContent
	register(s, logOut, s.logOut)
}

type signUp struct {
	Email    string `json:"email" format:"email" maxLength:"254" example:"ada@example.com"`
	Password string `json:"password" minLength:"12" maxLength:"1024" writeOnly:"true"`
	Tenant   string `json:"tenant" minLength:"1" maxLength:"200" doc:"Name of the new tenant." example:"Example"`
}

type newUser struct {
	Email    string `json:"email" format:"email" maxLength:"254" example:"ada@example.com"`
	Password string `json:"password" minLength:"12" maxLength:"1024" writeOnly:"true"`
	Role     string `json:"role,omitempty" enum:"owner,member" default:"member" doc:"Members lack the scope admin."`
}

type logIn struct {
	Email    string `json:"email" maxLength:"254"`
	Password string `json:"password" maxLength:"1024" writeOnly:"true"`
}

type refreshBody struct {
	RefreshToken string `json:"refresh_token" minLength:"1" maxLength:"512"`
}

type tenantBody struct {
	ID        string    `json:"id" format:"uuid"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

type userBody struct {
	ID        string    `json:"id" format:"uuid"`
	TenantID  string    `json:"tenant_id" format:"uuid"`
	Email     string    `json:"email"`
	Role      string    `json:"role" enum:"owner,member"`
	CreatedAt time.Time `json:"created_at"`
}

type signUpAnswer struct {
	User   userBody   `json:"user"`
	Tenant tenantBody `json:"tenant"`
}

type meBody struct {
	TenantID string          `json:"tenant_id" format:"uuid"`
	UserID   string          `json:"user_id" format:"uuid"`
	KeyID    string          `json:"key_id,omitempty" format:"uuid" doc:"The API key, if one was used."`
	Scopes   []account.Scope `json:"scopes"`
}

type tokensBody struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token" doc:"Valid once."`
	TokenType    string `json:"token_type" enum:"Bearer"`
	ExpiresIn    int    `json:"expires_in" doc:"Seconds until the access token expires."`
}

// tokensOutput must not be kept by caches on its way (RFC 6749, section 5.1).
type tokensOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         tokensBody
}

func toTenant(t *account.Tenant) tenantBody {
	return tenantBody{ID: t.ID, Name: t.Name, CreatedAt: stamp(t.CreatedAt)}
}

func toUser(u *account.User) userBody {
	return userBody{
		ID: u.ID, TenantID: u.TenantID, Email: u.Email, Role: string(u.Role), CreatedAt: stamp(u.CreatedAt),
	}
}

func (s *Server) signUp(ctx context.Context, in *input[signUp]) (*output[signUpAnswer], error) {
	token, err := credential(ctx)
	if err != nil {
		token = "" // the service tells whether sign-up is on before it looks at the token
	}
	user, tenant, err := s.Accounts.SignUp(ctx, token, in.Body.Email, in.Body.Password, in.Body.Tenant)
	if err != nil {
		return nil, err
	}
	return &output[signUpAnswer]{signUpAnswer{User: toUser(user), Tenant: toTenant(tenant)}}, nil
}

func (s *Server) createUser(ctx context.Context, in *input[newUser]) (*output[userBody], error) {
	user, err := s.Accounts.CreateUser(ctx, principal(ctx), in.Body.Email, in.Body.Password, account.Role(in.Body.Role))
	if err != nil {
		return nil, err
	}
	return &output[userBody]{toUser(user)}, nil
}

func (s *Server) me(ctx context.Context, _ *struct{}) (*output[meBody], error) {
	who := principal(ctx)
	return &output[meBody]{meBody{
		TenantID: who.TenantID, UserID: who.UserID, KeyID: who.KeyID, Scopes: who.Scopes,
	}}, nil
}

func (s *Server) logIn(ctx context.Context, in *input[logIn]) (*tokensOutput, error) {
	tokens, err := s.Accounts.Login(ctx, in.Body.Email, in.Body.Password)
	return newTokens(tokens, err)
}

func (s *Server) refresh(ctx context.Context, in *input[refreshBody]) (*tokensOutput, error) {
	tokens, err := s.Accounts.Refresh(ctx, in.Body.RefreshToken)
	return newTokens(tokens, err)
}

func newTokens(tokens *account.Tokens, err error) (*tokensOutput, error) {
	if err != nil {
		return nil, err
	}
	return &tokensOutput{CacheControl: "no-store", Body: tokensBody{
		AccessToken:  tokens.AccessToken,
		RefreshToken: tokens.RefreshToken,
		TokenType:    "Bearer",
		ExpiresIn:    int(tokens.ExpiresIn.Seconds()),
	}}, nil
}

func (s *Server) logOut(ctx context.Context, in *input[refreshBody]) (*noOutput, error) {
	return &noOutput{}, s.Accounts.Logout(ctx, in.Body.RefreshToken)
}
