package pgdump

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"agentstack/app/internal/backup"
)

// with runs work with a connection to a database.
func (s *Server) with(ctx context.Context, database string, work func(*pgx.Conn) error) error {
	connection, err := s.connect(ctx, database)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := connection.Close(ctx); err != nil {
			s.log.Warn("close connection to the database", "error", err)
		}
	}()
	return work(connection)
}

// execute runs a statement about other databases, with names in place of each %s.
func (s *Server) execute(ctx context.Context, statement string, names ...string) error {
	for _, name := range names {
		statement = strings.Replace(statement, "%s", pgx.Identifier{name}.Sanitize(), 1)
	}
	return s.with(ctx, s.config.Database, func(connection *pgx.Conn) error {
		_, err := connection.Exec(ctx, statement)
		return err
	})
}

// Exists implements backup.Target.
func (s *Server) Exists(ctx context.Context, database string) (bool, error) {
	var exists bool
	err := s.with(ctx, s.config.Database, func(connection *pgx.Conn) error {
		const query = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
		if err := connection.QueryRow(ctx, query, database).Scan(&exists); err != nil {
			return fmt.Errorf("look for database %s: %w", database, err)
		}
		return nil
	})
	return exists, err
}

// Create implements backup.Target. The new database has encoding, locale and extensions of template1.
func (s *Server) Create(ctx context.Context, database, owner string) error {
	return s.execute(ctx, "CREATE DATABASE %s OWNER %s", database, owner)
}

// Rename implements backup.Target.
func (s *Server) Rename(ctx context.Context, database, name string) error {
	return s.execute(ctx, "ALTER DATABASE %s RENAME TO %s", database, name)
}

// Drop implements backup.Target. It ends the sessions of the database.
func (s *Server) Drop(ctx context.Context, database string) error {
	return s.execute(ctx, "DROP DATABASE %s WITH (FORCE)", database)
}

// Tables implements backup.Target.
func (s *Server) Tables(ctx context.Context, database string) ([]backup.Table, error) {
	var measured []backup.Table
	err := s.with(ctx, database, func(connection *pgx.Conn) error {
		if _, err := connection.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
			return fmt.Errorf("begin transaction: %w", err)
		}
		if err := pinSettings(ctx, connection); err != nil {
			return err
		}
		tables, err := listTables(ctx, connection)
		if err != nil {
			return err
		}
		measured, err = measure(ctx, connection, tables)
		return err
	})
	return measured, err
}
