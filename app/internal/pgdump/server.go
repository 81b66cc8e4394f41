// Package pgdump dumps and restores PostgreSQL databases with pg_dump and pg_restore, and measures their tables.
package pgdump

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// connectTimeout bounds one attempt to connect unless the URL sets connect_timeout.
const connectTimeout = 10 * time.Second

// lockTimeout bounds, in PostgreSQL's notation, how long a dump waits for tables that others have locked.
const lockTimeout = "60s"

// libpqVariables are the parameters of a connection URL that the programs of PostgreSQL are given.
// https://www.postgresql.org/docs/17/libpq-envars.html
var libpqVariables = map[string]string{
	"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
	"channel_binding": "PGCHANNELBINDING", "connect_timeout": "PGCONNECT_TIMEOUT",
}

// Server is a PostgreSQL server. Its connections must not go through PgBouncer.
type Server struct {
	config *pgx.ConnConfig
	// environment of pg_dump and pg_restore, which holds the password: arguments can be seen by every process.
	environment []string
	log         *slog.Logger
}

// New returns a server that is connected to when it is first used.
func New(databaseURL string, log *slog.Logger) (*Server, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("parse database URL: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	environment := []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C",
		"PGHOST=" + config.Host, "PGPORT=" + strconv.Itoa(int(config.Port)), "PGUSER=" + config.User,
		"PGPASSWORD=" + config.Password, "PGDATABASE=" + config.Database, "PGAPPNAME=agentd",
	}
	parsed, err := url.Parse(databaseURL)
	if err != nil { // the error would quote the URL, which contains the password
		return nil, errors.New("parse database URL: not a URL")
	}
	for parameter, variable := range libpqVariables {
		if value := parsed.Query().Get(parameter); value != "" {
			environment = append(environment, variable+"="+value)
		}
	}
	return &Server{config: config, environment: environment, log: log}, nil
}

// connect opens a connection to a database of the server. The caller closes it.
func (s *Server) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	config := s.config.Copy()
	config.Database = database
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to database %s: %w", database, err)
	}
	return connection, nil
}
