//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestLocalCloud is one story: each part stands on the one before.
func TestLocalCloud(t *testing.T) {
	env(t)
	steps := []struct {
		name string
		run  func(*testing.T)
	}{
		{"the cloud comes up", cloudUp},
		{"pulumi previews and deploys, killed once in the middle", deploy},
		{"agents, sessions and documents", agentAnswers},
		{"a second up changes nothing", unchanged},
		{"a refresh finds no drift", noDrift},
		{"no secret is in clear in the state", secretsClosed},
		{"a changed variable rolls only the API", rollsOnlyAPI},
		{"every target of Prometheus is up", targetsUp},
		{"every panel of the dashboard has data", panelsAnswer},
		{"a request's log line is found", logsFound},
		{"an alert reaches the webhook", alertFires},
		{"the write-ahead log is archived", archived},
		{"a backup under writes is restored", backedUpAndRestored},
		{"a killed backup leaves none", killedBackupIsNone},
		{"an API pod is deleted", apiPodDeleted},
		{"the PostgreSQL primary is deleted", primaryDeleted},
		{"a Redis leader is deleted", redisLeaderDeleted},
		{"a node is drained", nodeDrained},
		{"a node is cut off", nodeCutOff},
		{"a process dies", processDies},
		{"every process is killed", everythingKilled},
		{"destroy leaves nothing", destroyed},
	}
	for _, step := range steps {
		if !t.Run(step.name, step.run) {
			diagnose(t)
			t.Fatal("the parts after this one stand on it; look around with " +
				"AGENTSTACK_INSTANCE=e2e bin/kubectl, then AGENTSTACK_INSTANCE=e2e make reset")
		}
	}
}

// diagnose shows what a person would look at first.
func diagnose(t *testing.T) {
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"-n", namespace, "get", "events", "--sort-by=.lastTimestamp"},
	} {
		output, err := try("kubectl", args...)
		t.Logf("kubectl %s\n%s%v", strings.Join(args, " "), output, errors.Join(err))
	}
}

func cloudUp(t *testing.T) {
	_, err := try("localcloud", "reset", "--yes")
	if err != nil && !strings.Contains(err.Error(), "there is no local cloud") {
		t.Fatal(err)
	}
	command(t, "localcloud", "up", "--deploy=false")
	nodes := command(t, "kubectl", "get", "nodes", "-o",
		`jsonpath={range .items[*]}{.metadata.labels.topology\.kubernetes\.io/zone}{"\n"}{end}`)
	zones := strings.Fields(nodes)
	slices.Sort(zones)
	if len(slices.Compact(zones)) != 3 {
		t.Errorf("three nodes in three zones, got %v", zones)
	}
}

func deploy(t *testing.T) {
	configureWebhook(t)
	preview := pulumi(t, "preview")
	if !regexp.MustCompile(`\+ \d+ to create`).MatchString(preview) {
		t.Errorf("the preview plans nothing:\n%s", preview)
	}
	killUpInTheMiddle(t)
	command(t, "localcloud", "up")
	signUp(t)
	id := answers(t)
	t.Logf("request %s is in PostgreSQL", id)
	first, err := chat("the same question")
	if err != nil {
		t.Fatal(err)
	}
	again, err := chat("the same question")
	if err != nil {
		t.Fatal(err)
	}
	if first.cache != "miss" || again.cache != "hit" || first.text != again.text {
		t.Errorf("cache: first %q %q, then %q %q", first.cache, first.text, again.cache, again.text)
	}
}

// killUpInTheMiddle kills `up` with its Pulumi and plugins once they have begun to make objects.
func killUpInTheMiddle(t *testing.T) {
	t.Helper()
	cmd := wrapper("localcloud", "up")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, settleTimeout, "pulumi up has made the namespace", func() error {
		_, err := try("kubectl", "get", "namespace", namespace)
		return err
	})
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it ended before it was killed")
	}
}

func unchanged(t *testing.T) {
	pulumi(t, "up", "--yes", "--skip-preview", "--expect-no-changes")
}

func noDrift(t *testing.T) {
	pulumi(t, "refresh", "--yes", "--skip-preview", "--expect-no-changes")
}

func secretsClosed(t *testing.T) {
	state := command(t, "pulumi", "stack", "export", "--stack", "local")
	var secrets struct {
		Items []struct {
			Metadata struct{ Name string }
			Data     map[string][]byte
		}
	}
	data := command(t, "kubectl", "get", "secrets", "-A", "-l", "app.kubernetes.io/managed-by=pulumi", "-o", "json")
	if err := json.Unmarshal([]byte(data), &secrets); err != nil {
		t.Fatal(err)
	}
	// names are keys that say who and where, which is no secret.
	names := []string{"username", "dbname", "host", "port", "access-key-id"}
	checked := 0
	for _, secret := range secrets.Items {
		for key, value := range secret.Data {
			if slices.Contains(names, key) {
				continue
			}
			encoded := base64.StdEncoding.EncodeToString(value)
			if strings.Contains(state, encoded) || strings.Contains(state, strconv.Quote(string(value))) {
				t.Errorf("the state holds %s/%s in clear", secret.Metadata.Name, key)
			}
			checked++
		}
	}
	if checked < 9 {
		t.Errorf("only %d values were found to check", checked)
	}
}

func rollsOnlyAPI(t *testing.T) {
	before, err := pods()
	if err != nil {
		t.Fatal(err)
	}
	file := changedConfig(t, "logLevel: debug", "logLevel: info")
	pulumi(t, "up", "--yes", "--skip-preview", "--config-file", file)
	answers(t)
	settled(t, readyCount(before))
	after, err := pods()
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, p := range after {
		kept[p.Metadata.UID] = true
	}
	for _, p := range before {
		api := p.Metadata.Labels["app.kubernetes.io/name"] == "ai-agent-api"
		if api == kept[p.Metadata.UID] && p.Status.Phase == "Running" {
			t.Errorf("pod %s: belongs to the API %v, kept %v", p.Metadata.Name, api, kept[p.Metadata.UID])
		}
	}
}

func changedConfig(t *testing.T, old, new string) string {
	t.Helper()
	source := filepath.Join(instanceDir(), "pulumi", "project", "Pulumi.local.yaml")
	content, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		t.Fatalf("%q is not in %s", old, content)
	}
	file := filepath.Join(t.TempDir(), "Pulumi.local.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(content), old, new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func readyCount(all []pod) int {
	n := 0
	for _, p := range all {
		if p.ready() {
			n++
		}
	}
	return n
}

func destroyed(t *testing.T) {
	pulumi(t, "destroy", "--yes", "--skip-preview")
	if _, err := try("kubectl", "get", "namespace", namespace); err == nil {
		t.Fatal("the namespace is left")
	}
	eventually(t, settleTimeout, "no volume is left", func() error {
		left, err := try("kubectl", "get", "persistentvolumes", "-o", "name")
		if err == nil && left != "" {
			err = fmt.Errorf("left: %s", left)
		}
		return err
	})
	command(t, "localcloud", "reset", "--yes")
}
