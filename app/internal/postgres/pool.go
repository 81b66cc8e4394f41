// Package postgres keeps accounts, exchanges, sessions, documents and idempotency keys in PostgreSQL.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxConns is the pool's size unless the URL sets pool_max_conns.
	maxConns = 10
	// connectTimeout bounds one attempt to connect unless the URL sets connect_timeout.
	connectTimeout = 2 * time.Second
)

// NewPool returns a pool that connects when it is first used. Statements are not prepared by name unless
// the URL sets default_query_exec_mode, so that PgBouncer in transaction mode may be in between. The file of
// sslrootcert must be there, and is read again for each connection. With tracing, each statement is a span; the
// values of its parameters are left out. Observe, unless nil, is told of each.
func NewPool(databaseURL string, tracing bool, observe Observe) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("parse database URL: %w", causeOf(err))
	}
	config.BeforeConnect = readAuthority(databaseURL)
	parameters, err := parameters(databaseURL)
	if err != nil {
		return nil, err
	}
	if !parameters.Has("default_query_exec_mode") {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	if !parameters.Has("pool_max_conns") {
		config.MaxConns = maxConns
	}
	if !parameters.Has("connect_timeout") {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	var tracers []pgx.QueryTracer
	if tracing {
		tracers = append(tracers, otelpgx.NewTracer())
	}
	if observe != nil {
		tracers = append(tracers, &observer{observe: observe})
	}
	config.ConnConfig.Tracer = multitracer.New(tracers...)
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("make connection pool: %w", err)
	}
	return pool, nil
}

// parameters does not wrap url.Parse's error: it quotes the URL, which contains the password.
func parameters(databaseURL string) (url.Values, error) {
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		return nil, errors.New("parse database URL: not a URL")
	}
	return parsed.Query(), nil
}
