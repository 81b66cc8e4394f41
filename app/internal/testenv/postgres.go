package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Superuser is a role that row-level security does not bind, Owner the plain role that owns the database postgres, as
// the application's role owns its database in production.
const (
	Superuser = "ai_agent"
	Owner     = "agentd"
)

// Postgres is a server of its own for one test. It listens on a Unix socket only. As in production, new databases
// have the extension vector.
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

// InitPostgres makes a server that is not started. Its programs are in the folder that AGENTSTACK_TOOLS names: the
// very ones of the image that the local cloud runs.
func InitPostgres(t testing.TB) *Postgres {
	t.Helper()
	pattern := filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), "postgresql/usr/lib/postgresql/*/bin/initdb")
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is not in the folder that AGENTSTACK_TOOLS names: run make deps")
	}
	p := &Postgres{bin: filepath.Dir(slices.Max(found)), dir: directory(t)}
	p.run(t, "", "initdb", "--pgdata", p.data(), "--username", Superuser, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	p.run(t, `CREATE EXTENSION vector
CREATE ROLE `+Owner+` LOGIN
DROP DATABASE postgres
CREATE DATABASE postgres OWNER `+Owner+`
`, "postgres", "--single", "-D", p.data(), "-c", "fsync=off", "template1")
	return p
}

// run runs a program of the server to its end.
func (p *Postgres) run(t testing.TB, input, name string, args ...string) {
	t.Helper()
	command := exec.Command(p.program(name), args...)
	command.Dir = p.dir
	command.Stdin = strings.NewReader(input)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t)}
	output, err := command.CombinedOutput()
	// A server in single-user mode goes on after errors.
	if err != nil || bytes.Contains(output, []byte("ERROR:")) {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
}

// URL returns the URL of the database postgres for its owner. The password is not checked, but it is one that no log
// may show.
func (p *Postgres) URL() string { return p.URLOf(Owner, "postgres") }

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
