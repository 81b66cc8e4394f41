package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// lockTimeout bounds the wait for a lock on a table: statements of the application queue behind that wait.
	lockTimeout = 2 * time.Second
	// lockPause lets them pass before the next attempt.
	lockPause = time.Second
	// lockNotAvailable is the SQLSTATE of a wait that took too long.
	lockNotAvailable = "55P03"
)

// Migrate brings the schema up to date. It waits for the database, for another migration that is running, and for
// transactions that hold locks, until ctx ends. The URL must lead to the server itself: the lock belongs to a session,
// which PgBouncer in transaction mode does not keep.
func Migrate(ctx context.Context, databaseURL string, log *slog.Logger) error {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("parse database URL: %w", causeOf(err))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.RuntimeParams["lock_timeout"] = strconv.FormatInt(lockTimeout.Milliseconds(), 10)
	db := stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(readAuthority(databaseURL)))
	defer db.Close()
	if err := waitFor(ctx, db, log); err != nil {
		return err
	}
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	if err := up(ctx, provider, log); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	log.Info("schema is up to date", "version", version)
	return nil
}

// up applies what is missing, and tries again while a lock is held by others.
func up(ctx context.Context, provider *goose.Provider, log *slog.Logger) error {
	for {
		results, err := provider.Up(ctx)
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			results = partial.Applied
		}
		for _, result := range results {
			log.Info("migrated", "migration", result.Source.Path, "duration", result.Duration.String())
		}
		var failure *pgconn.PgError
		if !errors.As(err, &failure) || failure.Code != lockNotAvailable {
			return err
		}
		log.Warn("waiting for a lock", "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for lock: %w; last attempt: %w", ctx.Err(), err)
		case <-time.After(lockPause):
		}
	}
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	// One try a second for an hour; the caller's context ends it earlier.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 3600))
	if err != nil {
		return nil, fmt.Errorf("make migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

func waitFor(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		log.Warn("waiting for the database", "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for database: %w; last attempt: %w", ctx.Err(), err)
		case <-time.After(time.Second):
		}
	}
}
