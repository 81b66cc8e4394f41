package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"agentstack/app/agent"
	"agentstack/app/internal/config"
	apphttp "agentstack/app/internal/http"
	"agentstack/app/internal/llm"
	"agentstack/app/internal/postgres"
	"agentstack/app/internal/redis"
	"agentstack/app/telemetry"
)

// serve answers requests until ctx ends. It starts without its dependencies; /ready tells when they are there.
func (p process) serve(ctx context.Context) error {
	settings, err := config.ReadServe(p.env)
	if err != nil {
		return usageError{fmt.Errorf("invalid configuration:\n%w", err)}
	}
	log := p.logger(settings.LogLevel)
	pool, err := postgres.NewPool(settings.DatabaseURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	cache := redis.NewCache(redis.Options{
		Addrs:    settings.Redis.Addrs,
		Username: settings.Redis.Username,
		Password: settings.Redis.Password,
		TTL:      settings.CacheTTL,
	}, log)
	defer cache.Close()
	exchanges := postgres.NewExchanges(pool, settings.Region, log)
	metrics := telemetry.New(version, settings.Environment)
	server := apphttp.NewServer(apphttp.Options{
		Chat: &agent.Chat{
			Model:     metrics.Model(llm.NewOpenAI(llm.Options(settings.Model))),
			Exchanges: metrics.Exchanges(exchanges),
			Cache:     metrics.Cache(cache),
			Log:       log,
		},
		Checks:  map[string]apphttp.Check{"database": exchanges.Ready, "redis": cache.Ready},
		Metrics: metrics,
		Log:     log,
	})
	return serveUntil(ctx, server, settings, log)
}

func serveUntil(ctx context.Context, server *apphttp.Server, settings config.Serve, log *slog.Logger) error {
	listener, err := net.Listen("tcp", settings.ListenAddr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("listening", "addr", listener.Addr().String(), "version", version,
		"environment", settings.Environment, "region", settings.Region)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("draining", "delay", settings.ShutdownDelay.String(), "timeout", settings.ShutdownTimeout.String())
	server.Drain()
	select {
	case err := <-served:
		return err
	case <-time.After(settings.ShutdownDelay):
	}
	timeout, cancel := context.WithTimeout(context.Background(), settings.ShutdownTimeout)
	defer cancel()
	if err := errors.Join(server.Shutdown(timeout), <-served); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}
