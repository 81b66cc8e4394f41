package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"agentstack/app/internal/testenv"
)

// TestGuardDeletesThePrimary has a folder of the data directory refuse writes, as a read-only file system does.
func TestGuardDeletesThePrimary(t *testing.T) {
	t.Parallel()
	postgres := testenv.InitPostgres(t)
	authority, file := testenv.NewAuthority(t), filepath.Join(t.TempDir(), "ca.crt")
	authority.WriteFile(t, file)
	postgres.ServeTLS(t, authority, "localhost")
	postgres.Start(t)
	api, account, deletions := newPodAPI(t)
	var output buffer
	ctx, terminate := context.WithCancel(t.Context())
	defer terminate()
	exit := make(chan int, 1)
	p := process{lookup(map[string]string{
		"DATABASE_URL":            postgres.TLSURL(testenv.Login, "postgres", file),
		"POD_SELECTOR":            "cnpg.io/cluster=db",
		"HEALTH_ADDRESS":          "127.0.0.1:0",
		"KUBERNETES_SERVICE_HOST": api.Hostname(),
		"KUBERNETES_SERVICE_PORT": api.Port(),
	}), &output, &output}
	go func() { exit <- p.exit(p.guard(ctx, account)) }()
	eventually(t, "the primary can write", func() bool { return strings.Contains(output.String(), "can write") })
	health, err := http.Get("http://" + output.lines(t)[0]["addr"].(string) + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	defer health.Body.Close()
	if health.StatusCode != http.StatusOK {
		t.Errorf("/livez: %s", health.Status)
	}
	if err := os.Chmod(filepath.Join(dataDirectory(t, postgres), "pg_snapshots"), 0o500); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod is deleted", func() bool { return len(deletions) > 0 })
	terminate()
	if code := <-exit; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	const want = `DELETE /api/v1/namespaces/data/pods/db-1 ` +
		`{"apiVersion":"v1","gracePeriodSeconds":1,"kind":"DeleteOptions","preconditions":{"uid":"1"}}`
	if got := <-deletions; got != want || len(deletions) > 0 {
		t.Errorf("%s, and %d other deletions, want %s", got, len(deletions), want)
	}
	for _, text := range []string{"deleted its pod", `"pod":"db-1"`, `"msg":"stopped"`} {
		if !strings.Contains(output.String(), text) {
			t.Errorf("the log does not have %s", text)
		}
	}
	if strings.Contains(output.String(), testenv.Secret) {
		t.Error("a secret is shown")
	}
	if t.Failed() {
		t.Logf("log:\n%s", output.String())
	}
}

// newPodAPI serves the pods of a cluster whose primary is on this host. It returns the server, the folder of a service
// account for it, and the deletions that it was asked for.
func newPodAPI(t *testing.T) (*url.URL, string, <-chan string) {
	t.Helper()
	deletions := make(chan string, 100)
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `{"items": [
				{"metadata": {"name": "db-1", "uid": "1", "labels": {"cnpg.io/instanceRole": "primary"}},
					"status": {"phase": "Running", "podIP": "127.0.0.1"}},
				{"metadata": {"name": "db-2", "uid": "2"},
					"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
			]}`)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		deletions <- r.Method + " " + r.URL.Path + " " + string(body)
		fmt.Fprint(w, `{}`)
	}))
	t.Cleanup(api.Close)
	server, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	account := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	for name, content := range map[string]string{
		"ca.crt": string(certificate), "namespace": "data", "token": testenv.Secret,
	} {
		if err := os.WriteFile(filepath.Join(account, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return server, account, deletions
}

func dataDirectory(t *testing.T, postgres *testenv.Postgres) string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), postgres.URLOf(testenv.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(t.Context())
	var folder string
	if err := connection.QueryRow(t.Context(), "SHOW data_directory").Scan(&folder); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestGuardConfigurationErrors(t *testing.T) {
	var output buffer
	p := process{lookup(map[string]string{
		"HEALTH_ADDRESS": "8080", "LOG_LEVEL": "loud", "DATABASE_URL": "mysql://guard:" + testenv.Secret + "@db/db",
	}), &output, &output}
	if code := p.exit(p.guard(t.Context(), t.TempDir())); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	for _, text := range []string{
		"\nDATABASE_URL: want postgres://", "\nPOD_SELECTOR: not set, but required", "\nHEALTH_ADDRESS: ",
		"\nLOG_LEVEL: ", "\nKUBERNETES_SERVICE_HOST: not set", "\nKUBERNETES_SERVICE_PORT: not set",
		"ca.crt: no such file", "namespace: no such file", "token: no such file",
	} {
		if !strings.Contains(output.String(), text) {
			t.Errorf("%q is not in:\n%s", text, output.String())
		}
	}
	if strings.Contains(output.String(), testenv.Secret) {
		t.Errorf("a password is shown:\n%s", output.String())
	}
	var missing buffer
	code := process{lookup(nil), &missing, &missing}.run(t.Context(), []string{"guard"})
	if code != exitUsage || !strings.Contains(missing.String(), "DATABASE_URL: not set, but required") {
		t.Errorf("exit code %d:\n%s", code, missing.String())
	}
}
