package pgdump

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/jackc/pgx/v5"

	"agentstack/app/internal/backup"
)

// snapshot is a transaction that sees the database as it was when the transaction began.
type snapshot struct {
	server     *Server
	connection *pgx.Conn
	id         string
	about      backup.About
	tables     []table
}

// Snapshot implements backup.Source. All tables are locked against changes of their definition, and against TRUNCATE,
// which a snapshot does not shield from.
func (s *Server) Snapshot(ctx context.Context) (backup.Snapshot, error) {
	connection, err := s.connect(ctx, s.config.Database)
	if err != nil {
		return nil, err
	}
	snapshot := &snapshot{server: s, connection: connection}
	if err := snapshot.begin(ctx); err != nil {
		snapshot.Close()
		return nil, err
	}
	return snapshot, nil
}

func (s *snapshot) begin(ctx context.Context) error {
	if _, err := s.connection.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err := pinSettings(ctx, s.connection); err != nil {
		return err
	}
	var err error
	if s.tables, err = listTables(ctx, s.connection); err != nil {
		return err
	}
	if len(s.tables) > 0 {
		var names []string
		for _, table := range s.tables {
			names = append(names, table.quoted)
		}
		lock := "LOCK TABLE ONLY " + strings.Join(names, ", ONLY ") + " IN ACCESS SHARE MODE"
		if _, err := s.connection.Exec(ctx, lock); err != nil {
			return fmt.Errorf("lock tables: %w", err)
		}
	}
	if err := s.connection.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&s.id); err != nil {
		return fmt.Errorf("export snapshot: %w", err)
	}
	return s.describe(ctx)
}

func (s *snapshot) describe(ctx context.Context) error {
	const query = `
SELECT d.datname, pg_get_userbyid(d.datdba), current_setting('server_version'),
       to_regclass('public.goose_db_version') IS NOT NULL
FROM pg_database d WHERE d.datname = current_database()`
	about := &s.about
	var migrated bool
	row := s.connection.QueryRow(ctx, query)
	if err := row.Scan(&about.Database, &about.Owner, &about.ServerVersion, &migrated); err != nil {
		return fmt.Errorf("describe database: %w", err)
	}
	if migrated {
		const version = `SELECT max(version_id) FROM public.goose_db_version WHERE is_applied`
		if err := s.connection.QueryRow(ctx, version).Scan(&about.SchemaVersion); err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
	}
	output, err := exec.CommandContext(ctx, "pg_dump", "--version").Output()
	if err != nil {
		return fmt.Errorf("ask pg_dump for its version: %w", err)
	}
	about.PgDumpVersion = strings.TrimPrefix(strings.TrimSpace(string(output)), "pg_dump (PostgreSQL) ")
	return nil
}

// About implements backup.Snapshot.
func (s *snapshot) About() backup.About { return s.about }

// Dump implements backup.Snapshot. The archive has everything that pg_dump knows of the database; what of it is left
// out is decided when it is restored.
func (s *snapshot) Dump(ctx context.Context) (io.ReadCloser, error) {
	return s.server.startDump(ctx, "--format=custom", "--snapshot="+s.id, "--no-password",
		"--lock-wait-timeout="+lockTimeout)
}

// Tables implements backup.Snapshot.
func (s *snapshot) Tables(ctx context.Context) ([]backup.Table, error) {
	return measure(ctx, s.connection, s.tables)
}

// Close implements backup.Snapshot. The server ends the transaction with the connection.
func (s *snapshot) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.connection.Close(ctx); err != nil {
		s.server.log.Warn("close connection to the database", "error", err)
	}
}
