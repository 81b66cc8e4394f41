package pgdump

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not for pg_dump")
	url := "postgres://role:p%40ss@db.example.com:6543/app?sslmode=require&connect_timeout=7"
	server, err := New(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"PGHOST=db.example.com", "PGPORT=6543", "PGUSER=role", "PGPASSWORD=p@ss", "PGDATABASE=app",
		"PGSSLMODE=require", "PGCONNECT_TIMEOUT=7",
	} {
		if !slices.Contains(server.environment, want) {
			t.Errorf("%s is not in %q", want, server.environment)
		}
	}
	if all := strings.Join(server.environment, " "); strings.Contains(all, "not for pg_dump") {
		t.Errorf("pg_dump is given %s", all)
	}
}
