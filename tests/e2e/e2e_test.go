//go:build e2e

// Package e2e deploys the program to a local cloud of its own, breaks it in every way that it must survive, and
// destroys it. `make e2e` runs it; it needs root.
package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"agentstack/tests/cloud"
)

// TestLocalCloud is one story: each part stands on the one before.
func TestLocalCloud(t *testing.T) {
	cloud.RequireInstance(t)
	tell(t, []step{
		{"the cloud comes up", cloudUp},
		{"pulumi previews and deploys, killed once in the middle", deploy},
		{"agents, sessions and documents", agentAnswers},
		{"a second up changes nothing", unchanged},
		{"a refresh finds no drift", noDrift},
		{"no secret is in clear in the state", secretsClosed},
		{"what may connect and what may not", isolated},
		{"a changed variable rolls only the API", rollsOnlyAPI},
		{"every target of Prometheus is up", targetsUp},
		{"every panel of the dashboard has data", panelsAnswer},
		{"a request's log line is found", logsFound},
		{"load brings more pods of the API", scaledUp},
		{"an alert reaches the webhook", alertFires},
		{"the write-ahead log is archived", archived},
		{"a backup under writes is restored", backedUpAndRestored},
		{"a killed backup leaves none", killedBackupIsNone},
		{"a second database begins at a moment of the first", recoveredToAMoment},
		{"the pods go when the load has gone", scaledBack},
		{"the edge answers as it must", edgeAnswers},
		{"an Envoy is deleted under load", envoyDeleted},
		{"an API pod is deleted", apiPodDeleted},
		{"the PostgreSQL primary is deleted", primaryDeleted},
		{"a Redis leader is deleted", redisLeaderDeleted},
		{"a node is drained", nodeDrained},
		{"a node is cut off", nodeCutOff},
		{"a process dies", processDies},
		{"every process is killed", everythingKilled},
		{"destroy leaves nothing", destroyed},
	})
}

// TestRollout is another story: what whoever runs the API does to it while there are visitors.
func TestRollout(t *testing.T) {
	cloud.RequireInstance(t)
	tell(t, []step{
		{"the cloud comes up", cloudUp},
		{"the program is deployed", deployedForVisitors},
		{"every change is rolled out under load", rolledOutUnderLoad},
		{"destroy leaves nothing", destroyed},
	})
}

// step is a part of a story.
type step struct {
	name string
	run  func(*testing.T)
}

// tell stops at the first part that fails.
func tell(t *testing.T, steps []step) {
	t.Helper()
	for _, step := range steps {
		if !t.Run(step.name, step.run) {
			diagnose(t)
			t.Fatal("the parts after this one stand on it; look around with " +
				"bin/kubectl, then make reset, with the same AGENTSTACK_INSTANCE")
		}
	}
}

// diagnose keeps what a person would look at first, in a file: in the output it would hide what failed.
func diagnose(t *testing.T) {
	var report strings.Builder
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp"},
	} {
		output, err := cloud.Try("kubectl", args...)
		fmt.Fprintf(&report, "kubectl %s\n%s%v\n", strings.Join(args, " "), output, err)
	}
	file := filepath.Join(cloud.InstanceDir(), "diagnosis.txt")
	if err := os.WriteFile(file, []byte(report.String()), 0o600); err != nil {
		t.Error(err)
	}
	t.Logf("pods and events are in %s", file)
}

func cloudUp(t *testing.T) {
	_, err := cloud.Try("localcloud", "reset", "--yes")
	if err != nil && !strings.Contains(err.Error(), "there is no local cloud") {
		t.Fatal(err)
	}
	cloud.Command(t, "localcloud", "up", "--deploy=false")
	nodes := cloud.Command(t, "kubectl", "get", "nodes", "-o",
		`jsonpath={range .items[*]}{.metadata.labels.topology\.kubernetes\.io/zone}{"\n"}{end}`)
	zones := strings.Fields(nodes)
	slices.Sort(zones)
	if len(slices.Compact(zones)) != 3 {
		t.Errorf("three nodes in three zones, got %v", zones)
	}
}

func deploy(t *testing.T) {
	configureWebhook(t)
	preview := cloud.Pulumi(t, "preview")
	if !regexp.MustCompile(`\+ \d+ to create`).MatchString(preview) {
		t.Errorf("the preview plans nothing:\n%s", preview)
	}
	killUpInTheMiddle(t)
	cloud.Command(t, "localcloud", "up")
	cloud.AdmitHost(t)
	api = cloud.SignUp(t)
	id := answers(t)
	t.Logf("request %s is in PostgreSQL", id)
	first, err := api.Chat("the same question")
	if err != nil {
		t.Fatal(err)
	}
	again, err := api.Chat("the same question")
	if err != nil {
		t.Fatal(err)
	}
	if first.Cache != "miss" || again.Cache != "hit" || first.Text != again.Text {
		t.Errorf("cache: first %q %q, then %q %q", first.Cache, first.Text, again.Cache, again.Text)
	}
}

// killUpInTheMiddle kills `up` with its Pulumi and plugins once they have begun to make objects.
func killUpInTheMiddle(t *testing.T) {
	t.Helper()
	cmd := cloud.Wrapper("localcloud", "up")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cloud.Eventually(t, cloud.SettleTimeout, "pulumi up has made the namespace", func() error {
		_, err := cloud.Try("kubectl", "get", "namespace", cloud.Namespace)
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
	cloud.Pulumi(t, "up", "--yes", "--skip-preview", "--expect-no-changes")
}

func noDrift(t *testing.T) {
	cloud.Pulumi(t, "refresh", "--yes", "--skip-preview", "--expect-no-changes")
}

func secretsClosed(t *testing.T) {
	state := cloud.Command(t, "pulumi", "stack", "export", "--stack", "local")
	var secrets struct {
		Items []struct {
			Metadata struct{ Name string }
			Data     map[string][]byte
		}
	}
	data := cloud.Command(t, "kubectl", "get", "secrets", "-A", "-o", "json",
		"-l", "app.kubernetes.io/managed-by=pulumi")
	if err := json.Unmarshal([]byte(data), &secrets); err != nil {
		t.Fatal(err)
	}
	// names are keys that say who and where, or whom to believe, which is no secret.
	names := []string{"username", "dbname", "host", "port", "access-key-id", "ca.crt"}
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
	n := cloud.AtRest(t)
	before, err := cloud.Pods()
	if err != nil {
		t.Fatal(err)
	}
	file := cloud.ChangedConfig(t, "api", func(api map[string]any) { api["logLevel"] = "info" })
	cloud.Pulumi(t, "up", "--yes", "--skip-preview", "--config-file", file)
	answers(t)
	cloud.Settled(t, n)
	after, err := cloud.Pods()
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

func destroyed(t *testing.T) {
	cloud.Pulumi(t, "destroy", "--yes", "--skip-preview")
	if _, err := cloud.Try("kubectl", "get", "namespace", cloud.Namespace); err == nil {
		t.Fatal("the namespace is left")
	}
	cloud.Eventually(t, cloud.SettleTimeout, "no volume is left", func() error {
		left, err := cloud.Try("kubectl", "get", "persistentvolumes", "-o", "name")
		if err == nil && left != "" {
			err = fmt.Errorf("left: %s", left)
		}
		return err
	})
	cloud.Command(t, "localcloud", "reset", "--yes")
}
