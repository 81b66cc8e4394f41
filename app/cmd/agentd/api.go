package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/internal/config"
	apphttp "agentstack/app/internal/http"
	"agentstack/app/internal/llm"
	"agentstack/app/internal/password"
	"agentstack/app/internal/postgres"
	"agentstack/app/internal/redis"
	"agentstack/app/internal/token"
	"agentstack/app/knowledge"
	"agentstack/app/problem"
	"agentstack/app/telemetry"
)

// api is the server and what it stands on.
type api struct {
	server    *apphttp.Server
	pool      *pgxpool.Pool
	exchanges *postgres.Exchanges
	redis     *redis.Client
	sessions  *agent.Sessions
}

// newAPI puts the API together. Nothing is connected yet.
func newAPI(settings config.Serve, log *slog.Logger) (*api, error) {
	tracing := settings.TracesEndpoint != ""
	metrics := telemetry.New(version, settings.Environment)
	signer, err := token.NewSigner(settings.JWTKeys)
	if err != nil {
		return nil, err
	}
	pool, err := postgres.NewPool(settings.DatabaseURL, tracing, metrics.ObserveQuery)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(redis.Options{
		Addrs:    settings.Redis.Addrs,
		Username: settings.Redis.Username,
		Password: settings.Redis.Password,
		CAFile:   settings.Redis.CAFile,
		Tracing:  tracing,
	}, log)
	exchanges := postgres.NewExchanges(pool, settings.Region, log)
	chat := &agent.Chat{Log: log}
	if settings.StoreExchanges {
		chat.Exchanges = exchanges
	}
	if settings.CacheTTL > 0 {
		chat.Cache = metrics.Cache(redis.NewCache(client, settings.CacheTTL))
	}
	router := newRouter(settings.Models, metrics, tracing, log)
	chat.Model = router
	documents := &knowledge.Service{
		Store:    postgres.NewDocuments(pool),
		Embedder: embedder(router, settings.Models.EmbeddingModel),
		NewID:    newID,
	}
	sessions := &agent.Sessions{
		Store:     postgres.NewSessions(pool),
		Model:     router,
		Catalog:   router,
		Retriever: documents,
		Events:    redis.NewEvents(client),
		Signals:   redis.NewSignals(client),
		NewID:     newID,
		Started:   metrics.SessionStarted,
		Log:       log,
	}
	server := apphttp.NewServer(apphttp.Options{
		Chat: chat,
		Accounts: &account.Service{
			Store:       postgres.NewAccounts(pool),
			Hasher:      password.New(),
			Signer:      signer,
			Limiter:     redis.NewLimiter(client, metrics.LimitUnchecked, log),
			NewID:       newID,
			SignUpToken: settings.SignUpToken,
		},
		Sessions:    sessions,
		Knowledge:   documents,
		Embeddings:  router,
		Catalog:     router,
		Idempotency: postgres.NewIdempotency(pool),
		Checks:      map[string]apphttp.Check{"database": exchanges.Probe, "redis": client.Ready},
		Metrics:     metrics,
		Version:     version,
		MaxStreams:  settings.MaxStreams,
		Tracing:     tracing,
		Log:         log,
	})
	return &api{server, pool, exchanges, client, sessions}, nil
}

func (a *api) close() error {
	a.exchanges.Close()
	a.pool.Close()
	return a.redis.Close()
}

// newID returns a UUIDv7, so that ids sort by time.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

func newRouter(models config.Models, metrics *telemetry.Metrics, tracing bool, log *slog.Logger) *llm.Router {
	providers := map[string]llm.Provider{}
	for _, p := range models.Providers {
		options := llm.Options{
			Name: p.Name, BaseURL: p.BaseURL, APIKey: p.APIKey,
			Timeout: p.Timeout, Retries: p.Retries, Tracing: tracing,
		}
		var provider llm.Provider
		switch p.Kind {
		case config.KindAnthropic:
			provider = llm.NewAnthropic(options)
		default:
			provider = llm.NewOpenAI(options)
		}
		providers[p.Name] = metrics.Provider(provider, prices(models.Models, p.Name))
	}
	return llm.NewRouter(models.Models, providers, log)
}

// prices returns what a provider's models cost, under the names that the provider knows: the price of the model of
// that name, or else of the first one that is routed there.
func prices(models []agent.ModelSpec, provider string) func(model string) telemetry.Price {
	exact, beginnings := map[string]telemetry.Price{}, map[string]telemetry.Price{}
	add := func(name string, price telemetry.Price) {
		known := exact
		if prefix, wild := strings.CutSuffix(name, "*"); wild {
			name, known = prefix, beginnings
		}
		if _, ok := known[name]; !ok {
			known[name] = price
		}
	}
	for _, model := range models {
		add(model.Name, telemetry.Price{Input: model.InputPrice, Output: model.OutputPrice})
	}
	for _, model := range models {
		for _, route := range model.Routes {
			if route.Provider == provider && route.Model != "" {
				add(route.Model, telemetry.Price{Input: model.InputPrice, Output: model.OutputPrice})
			}
		}
	}
	return func(model string) telemetry.Price {
		if price, ok := exact[model]; ok {
			return price
		}
		longest := -1
		var price telemetry.Price
		for prefix, p := range beginnings {
			if len(prefix) > longest && strings.HasPrefix(model, prefix) {
				longest, price = len(prefix), p
			}
		}
		return price
	}
}

func embedder(model agent.EmbeddingModel, name string) knowledge.Embedder {
	if name == "" {
		return noEmbedder{}
	}
	return llm.NewEmbedder(model, name)
}

// noEmbedder refuses what needs an embedding model when none is configured.
type noEmbedder struct{}

func (noEmbedder) EmbedTexts(context.Context, []string) ([][]float32, error) {
	return nil, problem.New(problem.Unprocessable, "retrieval_disabled",
		"This server has no embedding model: documents cannot be indexed or searched.")
}
