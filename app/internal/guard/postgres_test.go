package guard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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
	server.ServeTLS(t, authority, "localhost", "db-rw.example")
	server.Start(t)
	// Nobody can look the name up: it is only what the certificate has to show.
	const service = "db-rw.example"
	instance, err := NewPostgres(strings.Replace(server.TLSURL("guard", "postgres", file), "localhost", service, 1))
	if err != nil {
		t.Fatal(err)
	}
	data := administer(t, server, "CREATE ROLE guard LOGIN", "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC",
		"REVOKE ALL ON SCHEMA public FROM PUBLIC", "GRANT CONNECT ON DATABASE postgres TO guard")
	chmod := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(data, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when, want string, readOnly bool) {
		t.Helper()
		err := instance.Probe(t.Context(), netip.MustParseAddr("127.0.0.1"))
		got := fmt.Sprint(err)
		var answer *pgconn.PgError
		if errors.As(err, &answer) {
			got = answer.Code
		}
		if !strings.Contains(got, want) || errors.Is(err, ErrReadOnly) != readOnly {
			t.Errorf("%s: %v, want %s, read-only: %t", when, err, want, readOnly)
		}
		if strings.Contains(fmt.Sprint(err), testenv.Secret) {
			t.Errorf("%s: the password is shown: %v", when, err)
		}
	}
	expect("sound", "<nil>", false)
	chmod("pg_snapshots", 0o500)
	expect("snapshots are refused", "42501", true)
	chmod("pg_snapshots", 0o700)
	expect("sound again", "<nil>", false)
	if left, err := os.ReadDir(filepath.Join(data, "pg_snapshots")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, error %v", left, err)
	}
	administer(t, server, "REVOKE EXECUTE ON FUNCTION pg_export_snapshot FROM PUBLIC")
	expect("no privilege", "42501", false)
	administer(t, server, "GRANT EXECUTE ON FUNCTION pg_export_snapshot TO PUBLIC")
	// Without what PostgreSQL keeps of its catalog, whoever connects has tables' files opened, for writing too.
	tables, err := filepath.Glob(filepath.Join(data, "base", "*", "[0-9]*"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	for _, table := range tables {
		chmod(table[len(data):], 0o400)
	}
	caches, err := filepath.Glob(filepath.Join(data, "base", "*", "pg_internal.init"))
	if err != nil || len(caches) == 0 {
		t.Fatalf("no cache of the catalog: %v", err)
	}
	for _, cache := range caches {
		if err := os.Remove(cache); err != nil {
			t.Fatal(err)
		}
	}
	expect("tables are refused", "42501", true)
	for _, table := range tables {
		chmod(table[len(data):], 0o600)
	}
	server.Shutdown(t)
	expect("no server", "connection refused", false)
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

// TestNoAnswer asks somebody who accepts a connection and says nothing.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	instance, err := NewPostgres("postgres://guard:" + testenv.Secret + "@" + listener.Addr().String() + "/postgres")
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddr("127.0.0.1")
	begin := time.Now()
	if err := instance.Probe(t.Context(), address); !errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrReadOnly) {
		t.Errorf("error %v, want no answer", err)
	}
	if took := time.Since(begin); took < answerTimeout || took > 2*answerTimeout {
		t.Errorf("gave up after %s", took)
	}
	listener.Close()
	for name, err := range map[string]error{
		"probe": instance.Probe(t.Context(), address),
		"state": func() error { _, err := instance.State(t.Context(), address); return err }(),
	} {
		if !errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, ErrNoAnswer) {
			t.Errorf("%s: error %v, want a refusal", name, err)
		}
	}
	if err := classify(fmt.Errorf("connect: %w", syscall.EHOSTUNREACH)); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("no route: %v", err)
	}
}

func TestClassify(t *testing.T) {
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
		{"table on a read-only file system", "42501", "mdopenfork", true},
		{"no such table", "58P01", "mdopenfork", false},
	} {
		err := classify(&pgconn.PgError{Code: test.code, Routine: test.routine})
		if got := errors.Is(err, ErrReadOnly); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}
