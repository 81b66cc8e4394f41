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

// The roles are those of production. Superuser is one that row-level security does not bind. Owner owns the database
// postgres and cannot log in; the application is one of its members, Login or OtherLogin.
const (
	Superuser  = "postgres"
	Owner      = "ai_agent"
	Login      = "ai_agent_1"
	OtherLogin = "ai_agent_2"
)

// Postgres is a server of its own for one test. It listens on a Unix socket, and on TCP once it serves TLS. As in
// production, new databases have the extension vector.
type Postgres struct {
	bin, dir string
	tlsPort  string // empty: no TLS
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
CREATE ROLE `+Owner+`
CREATE ROLE `+Login+` LOGIN IN ROLE `+Owner+`
CREATE ROLE `+OtherLogin+` LOGIN IN ROLE `+Owner+`
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

// URL returns the URL of the database postgres for the application. The password is not checked, but it is one that no
// log may show.
func (p *Postgres) URL() string { return p.URLOf(Login, "postgres") }

// OwnerURL returns the URL of a database for migrations: the application's role acts as the owner.
func (p *Postgres) OwnerURL(database string) string {
	return p.URLOf(Login, database) + "&role=" + Owner
}

// URLOf returns the URL of another database for another role.
func (p *Postgres) URLOf(role, database string) string {
	url := fmt.Sprintf("postgres://%s:%s@/%s?host=%s", role, Secret, database, p.dir)
	if p.tlsPort != "" {
		url += "&port=" + p.tlsPort
	}
	return url
}

// Programs returns the folder of the server's programs, pg_dump among them.
func (p *Postgres) Programs() string { return p.bin }

// Secret is the password in every URL and of every Redis node here; tests search logs for it.
const Secret = "not-for-logs-7391"

// Start starts the server and waits until it answers.
func (p *Postgres) Start(t testing.TB) {
	t.Helper()
	args := []string{"-D", p.data(), "-k", p.dir, "-c", "fsync=off", "-c", "max_connections=50"}
	if p.tlsPort == "" {
		args = append(args, "-c", "listen_addresses=")
	} else {
		args = append(args, "-c", "listen_addresses=127.0.0.1", "-c", "port="+p.tlsPort, "-c", "ssl=on")
	}
	p.server = startProcess(t, p.dir, p.program("postgres"), args...)
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
	p.end(t, syscall.SIGQUIT)
}

// Shutdown ends the server in order, as a switchover does: sessions are ended, and what was committed is there.
func (p *Postgres) Shutdown(t testing.TB) {
	t.Helper()
	p.end(t, syscall.SIGINT)
}

func (p *Postgres) end(t testing.TB, signal syscall.Signal) {
	t.Helper()
	p.server.stop(signal)
	if err := os.Remove(filepath.Join(p.data(), "postmaster.pid")); err != nil && !os.IsNotExist(err) {
		t.Fatalf("remove pid file: %v", err)
	}
}

func (p *Postgres) program(name string) string { return filepath.Join(p.bin, name) }
func (p *Postgres) data() string               { return filepath.Join(p.dir, "data") }
