package main

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3/lock"

	"agentstack/app/internal/testenv"
)

// migrations is the number of files in internal/postgres/migrations.
const migrations = 6

func TestUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no command": nil, "unknown command": {"dance"}, "extra argument": {"serve", "now"},
	} {
		var stdout, stderr buffer
		code := process{lookup(nil), &stdout, &stderr}.run(t.Context(), args)
		if code != exitUsage || !strings.Contains(stderr.String(), "usage: agentd") {
			t.Errorf("%s: exit code %d: %s", name, code, stderr.String())
		}
	}
}

func TestConfigurationErrors(t *testing.T) {
	var stdout, stderr buffer
	code := process{lookup(map[string]string{
		"LISTEN_ADDR":      "8000",
		"DATABASE_URL":     "mysql://user:" + testenv.Secret + "@host/db",
		"REDIS_ADDRS":      "one:6379,two",
		"MODELS":           `{"providers":[{"name":"mock","baseUrl":"http://key:` + testenv.Secret + `@model/v1"}]}`,
		"JWT_KEYS":         "short-" + testenv.Secret,
		"MAX_STREAMS":      "0",
		"PPROF_ADDR":       "0.0.0.0:6060",
		"CACHE_TTL":        "-1m",
		"LOG_LEVEL":        "loud",
		"SHUTDOWN_DELAY":   "soon",
		"SHUTDOWN_TIMEOUT": "1",
	}), &stdout, &stderr}.run(t.Context(), []string{"serve"})
	if code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	for _, name := range []string{
		"LISTEN_ADDR", "DATABASE_URL", "REDIS_ADDRS", "MODELS.providers[0].kind", "MODELS.providers[0].baseUrl",
		"JWT_KEYS", "MAX_STREAMS", "PPROF_ADDR", "CACHE_TTL", "LOG_LEVEL",
		"SHUTDOWN_DELAY", "SHUTDOWN_TIMEOUT",
	} {
		if !strings.Contains(stderr.String(), "\n"+name+": ") {
			t.Errorf("%s is not reported in:\n%s", name, stderr.String())
		}
	}
	if strings.Contains(stderr.String()+stdout.String(), testenv.Secret) {
		t.Errorf("a password is shown:\n%s%s", stderr.String(), stdout.String())
	}
	var missing buffer
	process{lookup(nil), &missing, &missing}.run(t.Context(), []string{"serve"})
	for _, name := range []string{"DATABASE_URL", "REDIS_ADDRS", "MODELS", "JWT_KEYS"} {
		if !strings.Contains(missing.String(), name+": not set, but required") {
			t.Errorf("%s is not reported as missing in:\n%s", name, missing.String())
		}
	}
}

func TestMigrateTwiceAtOnce(t *testing.T) {
	t.Parallel()
	postgres := testenv.NewPostgres(t)
	env := lookup(map[string]string{"DATABASE_URL": postgres.OwnerURL("postgres")})
	outputs, codes := make([]buffer, 4), make([]int, 4)
	var group sync.WaitGroup
	for i := range codes {
		group.Go(func() { codes[i] = process{env, &outputs[i], &outputs[i]}.run(t.Context(), []string{"migrate"}) })
	}
	group.Wait()
	applied := 0
	for i, code := range codes {
		if code != exitOK {
			t.Errorf("exit code %d:\n%s", code, outputs[i].String())
		}
		applied += strings.Count(outputs[i].String(), `"msg":"migrated"`)
	}
	if applied != migrations {
		t.Errorf("%d migrations were applied, want %d", applied, migrations)
	}
}

func TestMigrateTakesTheLock(t *testing.T) {
	t.Parallel()
	postgres := testenv.NewPostgres(t)
	other, err := pgx.Connect(t.Context(), postgres.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock($1)", lock.DefaultLockID); err != nil {
		t.Fatal(err)
	}
	migrate := func(timeout string) int {
		var output buffer
		env := lookup(map[string]string{"DATABASE_URL": postgres.OwnerURL("postgres"), "MIGRATE_TIMEOUT": timeout})
		return process{env, &output, &output}.run(t.Context(), []string{"migrate"})
	}
	if code := migrate("2s"); code != exitFailure {
		t.Errorf("another migration runs: exit code %d, want %d", code, exitFailure)
	}
	var migrated bool
	if err := other.QueryRow(t.Context(), "SELECT to_regclass('exchanges') IS NOT NULL").Scan(&migrated); err != nil {
		t.Fatal(err)
	}
	if migrated {
		t.Error("the schema was changed without the lock")
	}
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_unlock($1)", lock.DefaultLockID); err != nil {
		t.Fatal(err)
	}
	if code := migrate("1m"); code != exitOK {
		t.Errorf("the lock is free: exit code %d", code)
	}
}

func TestMigrateWaits(t *testing.T) {
	t.Parallel()
	postgres := testenv.InitPostgres(t)
	var output buffer
	exit := make(chan int, 1)
	go func() {
		env := lookup(map[string]string{"DATABASE_URL": postgres.OwnerURL("postgres")})
		exit <- process{env, &output, &output}.run(t.Context(), []string{"migrate"})
	}()
	eventually(t, "migrate waits", func() bool { return strings.Contains(output.String(), "waiting for the database") })
	postgres.Start(t)
	if code := <-exit; code != exitOK {
		t.Errorf("exit code %d:\n%s", code, output.String())
	}
	var late buffer
	postgres.Stop(t)
	env := lookup(map[string]string{"DATABASE_URL": postgres.OwnerURL("postgres"), "MIGRATE_TIMEOUT": "1s"})
	if code := (process{env, &late, &late}).run(t.Context(), []string{"migrate"}); code != exitFailure {
		t.Errorf("no database: exit code %d, want %d", code, exitFailure)
	}
	if strings.Contains(output.String()+late.String(), testenv.Secret) {
		t.Error("the password is shown")
	}
}
