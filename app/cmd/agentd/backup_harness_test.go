package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"

	"agentstack/app/internal/backup"
	"agentstack/app/internal/testenv"
)

// asProgram makes the test binary be agentd, so that tests can give it a PATH of its own and kill it.
const asProgram = "AGENTD_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

const (
	sourceDatabase = "app"
	backupRole     = "ai_agent_backup"
	backupPrefix   = "backups/" + sourceDatabase
)

// vault is a database with everything that is hard to back up, and a store.
type vault struct {
	postgres *testenv.Postgres
	store    *testenv.ObjectStore
	env      map[string]string
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{postgres: testenv.InitPostgres(t), store: testenv.NewObjectStore(t)}
	authority, file := testenv.NewAuthority(t), filepath.Join(t.TempDir(), "ca.crt")
	authority.WriteFile(t, file)
	v.postgres.ServeTLS(t, authority, "localhost")
	v.postgres.Start(t)
	v.env = map[string]string{
		"PATH":                  v.postgres.Programs(),
		"DATABASE_URL":          v.postgres.TLSURL(backupRole, sourceDatabase, file),
		"S3_ENDPOINT":           v.store.URL(),
		"S3_REGION":             "us-east-1",
		"S3_BUCKET":             testenv.Bucket,
		"AWS_ACCESS_KEY_ID":     testenv.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": testenv.Secret,
		"LOG_LEVEL":             "debug",
		asProgram:               "1",
	}
	v.script(t, v.postgres.URLOf(testenv.Superuser, "postgres"), "server.sql")
	v.script(t, v.postgres.URLOf(testenv.Superuser, sourceDatabase), "superuser.sql")
	migrate := map[string]string{"DATABASE_URL": v.postgres.OwnerURL(sourceDatabase)}
	if r := v.run(t, migrate, "migrate"); r.code != exitOK {
		t.Fatalf("migrate: %s", r.stderr)
	}
	v.script(t, v.postgres.OwnerURL(sourceDatabase), "owner.sql")
	return v
}

// script runs a file of testdata, statement by statement: some do not run inside a transaction.
func (v *vault) script(t *testing.T, url, file string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(string(content), ";\n") {
		execute(t, url, statement)
	}
}

func (v *vault) connect(t *testing.T, role, database string) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), v.postgres.URLOf(role, database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close(context.Background()) }) // the server may be gone by then
	return connection
}

func (v *vault) exec(t *testing.T, role, database, statement string) {
	t.Helper()
	execute(t, v.postgres.URLOf(role, database), statement)
}

func execute(t *testing.T, url, statement string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(t.Context())
	if _, err := connection.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// query returns the first column of all rows.
func (v *vault) query(t *testing.T, database, query string) []string {
	t.Helper()
	connection := v.connect(t, testenv.Superuser, database)
	defer connection.Close(t.Context())
	rows, err := connection.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func (v *vault) databases(t *testing.T) []string {
	t.Helper()
	return v.query(t, "postgres", "SELECT datname::text FROM pg_database ORDER BY 1")
}

// result is how a run of agentd ended.
type result struct {
	code           int
	stdout, stderr string
}

func (v *vault) command(env map[string]string, args ...string) *exec.Cmd {
	merged := maps.Clone(v.env)
	maps.Copy(merged, env)
	command := exec.Command("/proc/self/exe", args...)
	for name, value := range merged {
		command.Env = append(command.Env, name+"="+value)
	}
	return command
}

// run runs agentd to its end. No output may show a password.
func (v *vault) run(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	command := v.command(env, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run agentd %v: %v", args, err)
	}
	if strings.Contains(stdout.String()+stderr.String(), testenv.Secret) {
		t.Errorf("agentd %v shows a password:\n%s%s", args, stdout.String(), stderr.String())
	}
	return result{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// backUp makes a backup and returns its manifest.
func (v *vault) backUp(t *testing.T) backup.Manifest {
	t.Helper()
	if r := v.run(t, nil, "backup"); r.code != exitOK {
		t.Fatalf("backup: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	ids := v.ids(t)
	return v.manifest(t, ids[len(ids)-1])
}

func (v *vault) manifest(t *testing.T, id string) backup.Manifest {
	t.Helper()
	var manifest backup.Manifest
	if err := json.Unmarshal(v.object(t, backupPrefix+"/"+id+"/manifest.json"), &manifest); err != nil {
		t.Fatalf("decode manifest: %v", err)
	}
	return manifest
}

func (v *vault) object(t *testing.T, key string) []byte {
	t.Helper()
	object, err := v.store.Client.GetObject(t.Context(), testenv.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	content, err := io.ReadAll(object)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return content
}

func (v *vault) putObject(t *testing.T, key string, content []byte) {
	t.Helper()
	_, err := v.store.Client.PutObject(t.Context(), testenv.Bucket, key, bytes.NewReader(content), int64(len(content)),
		minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// keys returns the keys of all objects, ids the ids that agentd lists.
func (v *vault) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for object := range v.store.Client.ListObjectsIter(t.Context(), testenv.Bucket,
		minio.ListObjectsOptions{Recursive: true}) {
		if object.Err != nil {
			t.Fatal(object.Err)
		}
		keys = append(keys, object.Key)
	}
	return keys
}

func (v *vault) ids(t *testing.T) []string {
	t.Helper()
	r := v.run(t, nil, "backups")
	if r.code != exitOK {
		t.Fatalf("backups: exit code %d\n%s", r.code, r.stderr)
	}
	var ids []string
	for _, line := range strings.Split(strings.TrimSpace(r.stdout), "\n")[1:] {
		ids = append(ids, strings.Fields(line)[0])
	}
	return ids
}

// uploads returns the keys of uploads that have not ended.
func (v *vault) uploads(t *testing.T) []string {
	t.Helper()
	var keys []string
	for upload := range v.store.Client.ListIncompleteUploads(t.Context(), testenv.Bucket, "", true) {
		if upload.Err != nil {
			t.Fatal(upload.Err)
		}
		keys = append(keys, upload.Key)
	}
	return keys
}

// restore restores into a new database and checks that agentd calls every table identical.
func (v *vault) restore(t *testing.T, id, database string, manifest backup.Manifest) {
	t.Helper()
	r := v.run(t, nil, "restore", "--backup", id, "--database", database)
	if r.code != exitOK {
		t.Fatalf("restore: exit code %d\n%s", r.code, r.stderr)
	}
	if got, want := strings.Count(r.stdout, "identical\n"), len(manifest.Tables); got != want {
		t.Errorf("%d tables are identical, want %d:\n%s", got, want, r.stdout)
	}
}

// refuse checks that a restore fails for a reason, and that no database came or went.
func (v *vault) refuse(t *testing.T, id, database, reason string) {
	t.Helper()
	before := v.databases(t)
	r := v.run(t, nil, "restore", "--backup", id, "--database", database)
	if r.code != exitFailure || !strings.Contains(r.stderr, reason) {
		t.Errorf("exit code %d, want %d and %q in:\n%s", r.code, exitFailure, reason, r.stderr)
	}
	if after := v.databases(t); !slices.Equal(before, after) {
		t.Errorf("databases before: %v, after: %v", before, after)
	}
}
