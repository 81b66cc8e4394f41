package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	api, account, deletions := newPodAPI(t, "127.0.0.1", "")
	var output buffer
	ctx, terminate := context.WithCancel(t.Context())
	defer terminate()
	exit := make(chan int, 1)
	p := process{lookup(map[string]string{
		"DATABASE_URL":            postgres.TLSURL(testenv.Login, "postgres", file),
		"CLUSTER":                 "db",
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
	if got := <-deletions; got != deletion || len(deletions) > 0 {
		t.Errorf("%s, and %d other deletions, want %s", got, len(deletions), deletion)
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

// deletion is that of the primary.
const deletion = `DELETE /api/v1/namespaces/data/pods/db-1 ` +
	`{"apiVersion":"v1","gracePeriodSeconds":1,"kind":"DeleteOptions","preconditions":{"uid":"1"}}`

// TestGuardReplacesWhoIsCutOff has a standby whose primary is an address where nobody says anything.
func TestGuardReplacesWhoIsCutOff(t *testing.T) {
	t.Parallel()
	primary := testenv.NewPostgres(t)
	primary.Shutdown(t)
	standby := primary.NewStandby(t)
	authority, file := testenv.NewAuthority(t), filepath.Join(t.TempDir(), "ca.crt")
	authority.WriteFile(t, file)
	standby.ServeTLS(t, authority, "localhost")
	standby.Start(t)
	database := standby.TLSURL(testenv.Login, "postgres", file)
	leader, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.2:"+leader.Port())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for setting, want := range map[string]bool{"true": true, "false": false} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			api, account, deletions := newPodAPI(t, "127.0.0.2", "127.0.0.1")
			ctx, terminate := context.WithTimeout(t.Context(), 15*time.Second)
			defer terminate()
			var output buffer
			p := process{lookup(map[string]string{
				"DATABASE_URL": database, "CLUSTER": "db", "POD_SELECTOR": "cnpg.io/cluster=db",
				"REPLACE_CUT_OFF": setting, "HEALTH_ADDRESS": "127.0.0.1:0",
				"KUBERNETES_SERVICE_HOST": api.Hostname(), "KUBERNETES_SERVICE_PORT": api.Port(),
			}), &output, &output}
			if code := p.exit(p.guard(ctx, account)); code != exitOK {
				t.Errorf("exit code %d", code)
			}
			if want != (len(deletions) == 1) || want && <-deletions != deletion {
				t.Errorf("want a deletion: %t; log:\n%s", want, output.String())
			}
		})
	}
}

// newPodAPI serves the pods of a cluster with the addresses of its primary and of its replica, which may be empty. It
// returns the server, the folder of a service account for it, and the deletions that it was asked for.
func newPodAPI(t *testing.T, primary, replica string) (*url.URL, string, <-chan string) {
	t.Helper()
	deletions := make(chan string, 100)
	api, account := newKubeAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprintf(w, `{"items": [
				{"metadata": {"name": "db-1", "uid": "1", "labels": {"cnpg.io/instanceRole": "primary"}},
					"status": {"phase": "Running", "podIP": %q}},
				{"metadata": {"name": "db-2", "uid": "2"},
					"status": {"podIP": %q, "conditions": [{"type": "Ready", "status": "True"}]}}
			]}`, primary, replica)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		deletions <- r.Method + " " + r.URL.Path + " " + string(body)
		fmt.Fprint(w, `{}`)
	})
	return api, account, deletions
}

// newKubeAPI serves the API of Kubernetes, and returns the folder of a service account for it.
func newKubeAPI(t *testing.T, handler http.HandlerFunc) (*url.URL, string) {
	t.Helper()
	api := httptest.NewTLSServer(handler)
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
	return server, account
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
		"\nDATABASE_URL: want postgres://", "\nCLUSTER: not set, but required",
		"\nPOD_SELECTOR: not set, but required", "\nHEALTH_ADDRESS: ",
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
