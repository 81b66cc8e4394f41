package testenv

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PgBouncer is a pooler in transaction mode in front of a server, on a Unix socket. Its pool is smaller than those of
// clients, so that they share connections.
type PgBouncer struct {
	program, dir string
	server       *process
}

// NewPgBouncer starts a pooler for the databases of a server that is started.
func NewPgBouncer(t testing.TB, postgres *Postgres) *PgBouncer {
	t.Helper()
	const debian = "/usr/sbin/pgbouncer" // not in the PATH of every user
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = debian
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal(missing("PgBouncer", "pgbouncer"))
	}
	b := &PgBouncer{program: program, dir: directory(t)}
	config, users := filepath.Join(b.dir, "pgbouncer.ini"), filepath.Join(b.dir, "users.txt")
	content := fmt.Sprintf(`[databases]
* = host=%s port=%s
[pgbouncer]
unix_socket_dir = %s
listen_port = 5432
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 3
server_tls_sslmode = disable
server_login_retry = 1
query_wait_timeout = 30
`, postgres.dir, cmp.Or(postgres.tlsPort, "5432"), b.dir, users)
	logins := fmt.Sprintf("%q \"\"\n%q \"\"\n", Login, OtherLogin)
	for name, content := range map[string]string{config: content, users: logins} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil { // the pooler runs as another user
			t.Fatalf("write configuration: %v", err)
		}
	}
	b.Start(t)
	return b
}

// Start starts the pooler and waits until it answers.
func (b *PgBouncer) Start(t testing.TB) {
	t.Helper()
	b.server = startProcess(t, b.dir, b.program, filepath.Join(b.dir, "pgbouncer.ini"))
	b.server.wait(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
		defer cancel()
		connection, err := pgx.Connect(ctx, b.URL())
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	})
}

// Stop ends the pooler with all of its connections.
func (b *PgBouncer) Stop() { b.server.stop(syscall.SIGTERM) }

// URL returns the URL of the database postgres for the application.
func (b *PgBouncer) URL() string { return b.URLOf(Login) }

// URLOf returns the URL of the database postgres for another role.
func (b *PgBouncer) URLOf(role string) string {
	return fmt.Sprintf("postgres://%s:%s@/postgres?host=%s", role, Secret, b.dir)
}
