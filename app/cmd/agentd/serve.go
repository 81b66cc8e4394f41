package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"agentstack/app/internal/config"
	"agentstack/app/internal/tracing"
)

// tracesTimeout bounds the sending of the last traces.
const tracesTimeout = 5 * time.Second

// serve answers requests until ctx ends. It starts without its dependencies; /ready tells when they are there.
func (p process) serve(ctx context.Context) (err error) {
	settings, err := config.ReadServe(p.env)
	if err != nil {
		return usageError{fmt.Errorf("invalid configuration:\n%w", err)}
	}
	log := p.logger(settings.LogLevel)
	if settings.TracesEndpoint != "" {
		stop, err := tracing.Start(ctx, tracing.Options{
			Endpoint:    settings.TracesEndpoint,
			Version:     version,
			Environment: settings.Environment,
			Region:      settings.Region,
		}, log)
		if err != nil {
			return err
		}
		defer func() {
			timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracesTimeout)
			defer cancel()
			if err := stop(timeout); err != nil {
				log.Warn("last traces not sent", "error", err)
			}
		}()
	}
	if settings.ProfileAddr != "" {
		stop, err := serveProfiles(settings.ProfileAddr, log)
		if err != nil {
			return err
		}
		defer stop()
	}
	api, err := newAPI(settings, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, api.close()) }()
	return serveUntil(ctx, api, settings, log)
}

func serveUntil(ctx context.Context, api *api, settings config.Serve, log *slog.Logger) error {
	listener, err := net.Listen("tcp", settings.ListenAddr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("listening", "addr", listener.Addr().String(), "version", version,
		"environment", settings.Environment, "region", settings.Region)
	served := make(chan error, 1)
	go func() { served <- api.server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("draining", "delay", settings.ShutdownDelay.String(), "timeout", settings.ShutdownTimeout.String())
	api.server.Drain()
	select {
	case err := <-served:
		return err
	case <-time.After(settings.ShutdownDelay):
	}
	timeout, cancel := context.WithTimeout(context.Background(), settings.ShutdownTimeout)
	defer cancel()
	// Answers of sessions go on without their connections, but not without the process.
	err = errors.Join(api.server.Shutdown(timeout), api.sessions.Drain(timeout))
	api.sessions.Stop()
	if err := errors.Join(err, <-served); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}
