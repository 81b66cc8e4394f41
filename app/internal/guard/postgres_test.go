package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"agentstack/app/internal/testenv"
)

// TestProbe probes with a role that may only connect.
func TestProbe(t *testing.T) {
	t.Parallel()
	server := testenv.InitPostgres(t)
	authority, file := testenv.NewAuthority(t), filepath.Join(t.TempDir(), "ca.crt")
	authority.WriteFile(t, file)
	server.ServeTLS(t, authority, "localhost")
	server.Start(t)
	primary := Postgres{URL: server.TLSURL("guard", "postgres", file)}
	data := administer(t, server, "CREATE ROLE guard LOGIN", "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC",
		"REVOKE ALL ON SCHEMA public FROM PUBLIC", "GRANT CONNECT ON DATABASE postgres TO guard")
	writable := func(writable bool) {
		t.Helper()
		mode := os.FileMode(0o700)
		if !writable {
			mode = 0o500
		}
		if err := os.Chmod(filepath.Join(data, "pg_snapshots"), mode); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when, want string, readOnly bool) {
		t.Helper()
		err := primary.Probe(t.Context())
		got := fmt.Sprint(err)
		var answer *pgconn.PgError
		if errors.As(err, &answer) {
			got = answer.Code
		}
		var refusal *ReadOnlyError
		if !strings.Contains(got, want) || errors.As(err, &refusal) != readOnly {
			t.Errorf("%s: %v, want %s, read-only: %t", when, err, want, readOnly)
		}
		if refusal != nil && refusal.Address != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%s: address %s", when, refusal.Address)
		}
		if strings.Contains(fmt.Sprint(err), testenv.Secret) {
			t.Errorf("%s: the password is shown: %v", when, err)
		}
	}
	expect("sound", "<nil>", false)
	writable(false)
	expect("read-only", "42501", true)
	writable(true)
	expect("sound again", "<nil>", false)
	if left, err := os.ReadDir(filepath.Join(data, "pg_snapshots")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, error %v", left, err)
	}
	administer(t, server, "REVOKE EXECUTE ON FUNCTION pg_export_snapshot FROM PUBLIC")
	expect("no privilege", "42501", false)
	administer(t, server, "GRANT EXECUTE ON FUNCTION pg_export_snapshot TO PUBLIC")
	server.Shutdown(t)
	expect("no server", "connection refused", false)
	if err := os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	expect("a replica", "<nil>", false)
	writable(false)
	expect("a replica, read-only", "42501", false)
}

// administer executes statements and returns the data directory.
func administer(t *testing.T, server *testenv.Postgres, statements ...string) string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), server.URLOf(testenv.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(t.Context())
	for _, statement := range statements {
		if _, err := connection.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	var data string
	if err := connection.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name, code, routine string
		want                bool
	}{
		{"read-only file system", "42501", "ExportSnapshot", true},
		{"input/output error", "58030", "ExportSnapshot", true},
		{"disk full", "53100", "ExportSnapshot", false},
		{"no such folder", "58P01", "ExportSnapshot", false},
		{"too many open files", "53000", "ExportSnapshot", false},
		{"missing privilege", "42501", "aclcheck_error", false},
		{"another input/output error", "58030", "mdread", false},
	} {
		if got := refused(&pgconn.PgError{Code: test.code, Routine: test.routine}); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}
