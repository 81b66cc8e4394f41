package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres is a server of its own for one test. It listens on a Unix socket only.
type Postgres struct {
	bin, dir string
	server   *process
}

// NewPostgres starts an empty server.
func NewPostgres(t testing.TB) *Postgres {
	t.Helper()
	p := InitPostgres(t)
	p.Start(t)
	return p
}

// InitPostgres makes a server that is not started.
func InitPostgres(t testing.TB) *Postgres {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal(missing("PostgreSQL", "postgresql"))
	}
	p := &Postgres{bin: filepath.Dir(slices.Max(found)), dir: directory(t)}
	initdb := exec.Command(p.program("initdb"), "--pgdata", p.data(), "--username", "ai_agent", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir = p.dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t)}
	if output, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	return p
}

// URL returns the database's URL. The password is not checked, but it is one that no log may show.
func (p *Postgres) URL() string {
	return p.URLOf("ai_agent", "postgres")
}

// URLOf returns the URL of another database for another role.
func (p *Postgres) URLOf(role, database string) string {
	return fmt.Sprintf("postgres://%s:%s@/%s?host=%s", role, Secret, database, p.dir)
}

// Programs returns the folder of the server's programs, pg_dump among them.
func (p *Postgres) Programs() string { return p.bin }

// Secret is the password in every URL and of every Redis node here; tests search logs for it.
const Secret = "not-for-logs-7391"

// Start starts the server and waits until it answers.
func (p *Postgres) Start(t testing.TB) {
	t.Helper()
	p.server = startProcess(t, p.dir, p.program("postgres"), "-D", p.data(), "-k", p.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50")
	p.server.wait(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
		defer cancel()
		connection, err := pgx.Connect(ctx, p.URL())
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	})
}

// Stop ends the server at once, as a crash would.
func (p *Postgres) Stop(t testing.TB) {
	t.Helper()
	p.server.stop(syscall.SIGQUIT)
	if err := os.Remove(filepath.Join(p.data(), "postmaster.pid")); err != nil && !os.IsNotExist(err) {
		t.Fatalf("remove pid file: %v", err)
	}
}

func (p *Postgres) program(name string) string { return filepath.Join(p.bin, name) }
func (p *Postgres) data() string               { return filepath.Join(p.dir, "data") }
