package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PgBouncer is a pooler in transaction mode in front of a server, on a Unix socket. Its pool is smaller than those of
// clients, so that they share connections.
type PgBouncer struct{ dir string }

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
	b := &PgBouncer{dir: directory(t)}
	config, users := filepath.Join(b.dir, "pgbouncer.ini"), filepath.Join(b.dir, "users.txt")
	content := fmt.Sprintf(`[databases]
* = host=%s
[pgbouncer]
unix_socket_dir = %s
listen_port = 5432
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 3
server_tls_sslmode = disable
`, postgres.dir, b.dir, users)
	for name, content := range map[string]string{config: content, users: fmt.Sprintf("%q \"\"\n", Owner)} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil { // the pooler runs as another user
			t.Fatalf("write configuration: %v", err)
		}
	}
	server := startProcess(t, b.dir, program, config)
	server.wait(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
		defer cancel()
		connection, err := pgx.Connect(ctx, b.URL())
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	})
	return b
}

// URL returns the URL of the database postgres for its owner.
func (b *PgBouncer) URL() string {
	return fmt.Sprintf("postgres://%s:%s@/postgres?host=%s", Owner, Secret, b.dir)
}
