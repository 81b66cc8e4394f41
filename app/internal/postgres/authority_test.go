package postgres

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/internal/testenv"
)

// newTLS starts a server whose certificate is for a host, and returns it with the file of its authority.
func newTLS(t *testing.T, host string) (server *testenv.Postgres, authority *testenv.Authority, file string) {
	t.Helper()
	server, authority = testenv.InitPostgres(t), testenv.NewAuthority(t)
	file = filepath.Join(t.TempDir(), "ca.crt")
	authority.WriteFile(t, file)
	server.ServeTLS(t, authority, host)
	server.Start(t)
	return server, authority, file
}

// connects makes a new connection and tells how that fails.
func connects(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	pool.Reset()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var encrypted bool
	err := pool.QueryRow(ctx, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&encrypted)
	if err != nil {
		if strings.Contains(err.Error(), testenv.Secret) {
			t.Errorf("the error shows the password: %v", err)
		}
		return err.Error()
	}
	if !encrypted {
		t.Error("the connection is not encrypted")
	}
	return ""
}

func wantRefusal(t *testing.T, got, want string) {
	t.Helper()
	if want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("connecting fails with %q, want %q", got, want)
	}
}

func TestAuthorityIsRenewed(t *testing.T) {
	t.Parallel()
	server, authority, file := newTLS(t, "localhost")
	url := server.TLSURL(testenv.Login, "postgres", file)
	pool := open(t, url)
	wantRefusal(t, connects(t, pool), "")
	held, err := pool.Acquire(t.Context())
	check(t, err)
	defer held.Release()

	renewed := testenv.NewAuthority(t)
	server.ServeTLS(t, renewed, "localhost")
	eventually(t, "the server has its new certificate", func() bool {
		return strings.Contains(connects(t, pool), "unknown authority")
	})
	_, err = held.Exec(t.Context(), "SELECT")
	check(t, err)
	renewed.WriteFile(t, file)
	wantRefusal(t, connects(t, pool), "")
	authority.WriteFile(t, file)
	wantRefusal(t, connects(t, pool), "unknown authority")
	check(t, os.Remove(file))
	wantRefusal(t, connects(t, pool), "no such file")
	check(t, os.WriteFile(file, []byte("half a"), 0o600))
	wantRefusal(t, connects(t, pool), "CA")
	renewed.WriteFile(t, file)
	wantRefusal(t, connects(t, pool), "")

	// Migrations connect by themselves, also when the authority is renewed while they wait.
	authority.WriteFile(t, file)
	output, done := &log{}, make(chan error, 1)
	go func() {
		done <- Migrate(t.Context(), url+"&role="+testenv.Owner, slog.New(slog.NewTextHandler(output, nil)))
	}()
	eventually(t, "migrate waits", func() bool { return output.count("waiting for the database") > 0 })
	renewed.WriteFile(t, file)
	check(t, <-done)
	if output.count(testenv.Secret) > 0 {
		t.Error("the log shows the password")
	}
}

func TestServerOfAnotherNameIsRefused(t *testing.T) {
	t.Parallel()
	server, _, file := newTLS(t, "db.example.com")
	url := server.TLSURL(testenv.Login, "postgres", file)
	wantRefusal(t, connects(t, open(t, url)), "certificate is valid for db.example.com")
	// verify-ca looks at the authority only.
	ca := open(t, strings.Replace(url, "verify-full", "verify-ca", 1))
	wantRefusal(t, connects(t, ca), "")
	testenv.NewAuthority(t).WriteFile(t, file)
	wantRefusal(t, connects(t, ca), "unknown authority")
}

func TestMissingAuthority(t *testing.T) {
	t.Parallel()
	url := "postgres://role:" + testenv.Secret + "@host/db?sslmode=verify-full&sslrootcert=/nowhere/ca.crt"
	if _, err := NewPool(url, false, nil); err == nil || !strings.Contains(err.Error(), "/nowhere/ca.crt") ||
		strings.Contains(err.Error(), testenv.Secret) {
		t.Errorf("error %v", err)
	}
	err := Migrate(t.Context(), "postgres://role@host:"+testenv.Secret+"/db", slog.New(slog.DiscardHandler))
	if err == nil || strings.Contains(err.Error(), testenv.Secret) {
		t.Errorf("error %v", err)
	}
}
