package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"agentstack/app/internal/config"
	"agentstack/app/internal/guard"
)

// serviceAccount is the folder in which the kubelet puts the files of a pod's service account.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// guard watches the instances of the database until ctx ends. Account is the folder of the service account.
func (p process) guard(ctx context.Context, account string) error {
	settings, err := config.ReadGuard(p.env)
	cluster, accountErr := guard.NewCluster(settings.APIServer, account, settings.Cluster, settings.Selector)
	if err := errors.Join(err, accountErr); err != nil {
		return usageError{fmt.Errorf("invalid configuration:\n%w", err)}
	}
	database, err := guard.NewPostgres(settings.DatabaseURL)
	if err != nil {
		return err
	}
	log := p.logger(settings.LogLevel)
	watch := &guard.Guard{
		Database: database, Instances: cluster, Log: log, ReplaceCutOff: settings.ReplaceCutOff,
	}
	listener, err := net.Listen("tcp", settings.HealthAddr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("watching", "addr", listener.Addr().String(), "version", version, "cluster", settings.Cluster,
		"selector", settings.Selector, "replace_cut_off", settings.ReplaceCutOff)
	server := &http.Server{Handler: watch.Handler(), ReadHeaderTimeout: 10 * time.Second}
	serving, stop := context.WithCancelCause(ctx)
	go func() { stop(fmt.Errorf("serve health: %w", server.Serve(listener))) }()
	watch.Run(serving)
	if ctx.Err() == nil {
		return context.Cause(serving)
	}
	log.Info("stopped")
	return server.Close()
}
