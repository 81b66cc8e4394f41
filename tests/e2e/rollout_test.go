//go:build e2e

package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"agentstack/tests/cloud"
	load "agentstack/tests/visitors"
)

// calm is for how long visitors are there before a change, and again once it is done: one stream at the least.
const calm = 10 * time.Second

// apiPods selects the pods of the API and of its canary.
const apiPods = "app.kubernetes.io/name in (ai-agent-api, ai-agent-api-canary)"

// change is something that whoever runs the API does to it while there are visitors.
type change struct {
	name string
	// prepare, unless nil, is done before there are visitors.
	prepare func(*rollout)
	// run does it and returns when it is done, but for pods that still end.
	run func(*rollout)
	// cutsSockets: an Envoy leaves. It lets answers end, but can't tell a WebSocket that it is over.
	cutsSockets bool
}

var changes = []change{
	{name: "image", run: imageChanged},
	{name: "configuration", run: configurationChanged},
	{name: "secrets", run: secretsRotated},
	{name: "node drained", run: drained(nodeOfReplica), cutsSockets: true},
	{name: "primary's node drained", prepare: leadAwayFromStore, run: drained(nodeOfPrimary), cutsSockets: true},
	{name: "2 pods", run: scaledTo(2)},
	{name: "6 pods", run: scaledTo(6)},
	{name: "2 pods again", run: scaledTo(2)},
	{name: "canary that passes", run: canaryPasses},
	{name: "canary that must fail", run: canaryFails},
	{name: "all as before", run: allAsBefore},
}

// rollout is what the changes share.
type rollout struct {
	*testing.T // of the change
	atRest     int
	// api are the settings of the API that changes have made, to which later ones add.
	api map[string]any
	// passwordVersion of PostgreSQL never goes back, or the pods would lose their password. So no part after this one
	// may deploy the configuration of before.
	passwordVersion int
	files           appFiles
	// broken says that a change did not come to its end, so that nothing more can be shown.
	broken bool
	rows   []string
}

func deployedForVisitors(t *testing.T) {
	cloud.Command(t, "localcloud", "up")
	cloud.AdmitHost(t)
	api = cloud.SignUp(t)
	answers(t)
}

// rolledOutUnderLoad makes each change while 200 requests a second come through the edge, with streams and WebSockets
// open. None may fail.
func rolledOutUnderLoad(t *testing.T) {
	r := &rollout{atRest: cloud.AtRest(t), api: map[string]any{}, passwordVersion: 1}
	defer r.files.restore(t)
	defer func() { t.Log(tableOf(r.rows)) }()
	for _, c := range changes {
		if !r.broken {
			t.Run(c.name, func(t *testing.T) { r.measure(t, c) })
		}
	}
	if r.broken {
		t.Error("a change did not come to its end: the ones after it are not made")
	}
}

// measure makes a change and judges what the visitors say.
func (r *rollout) measure(t *testing.T, c change) {
	r.T, r.broken = t, true
	if c.prepare != nil {
		c.prepare(r)
	}
	visitors := cloud.Visit(t, api)
	stop := sync.OnceValue(visitors.Stop)
	defer stop()
	time.Sleep(calm)
	began := time.Now()
	c.run(r)
	r.rolled()
	took := time.Since(began)
	time.Sleep(calm)
	seen := stop()
	r.broken = false
	r.rows = append(r.rows, rowOf(c, took, seen))
	for _, f := range seen.Failures {
		t.Log(f)
	}
	failed := seen.Failed + seen.Streams.Failed + seen.Sockets.Failed + seen.Streams.Cut
	if !c.cutsSockets {
		failed += seen.Sockets.Cut
	}
	if failed > 0 {
		t.Errorf("%d visitors were failed", failed)
	}
	if seen.Sent == 0 || seen.Streams.Finished == 0 || seen.Sockets.Finished == 0 {
		t.Errorf("nobody was there: %+v", seen)
	}
}

// rolled waits until no pod of the API is on its way, in or out: those that leave let their answers end first.
func (r *rollout) rolled() {
	r.Helper()
	cloud.Eventually(r.T, cloud.SettleTimeout, "the pods of the API are those that are to stay", func() error {
		pods, err := cloud.Pods(apiPods)
		for _, pod := range pods {
			if !pod.Ready() {
				err = errors.Join(err, fmt.Errorf("pod %s is on its way", pod.Metadata.Name))
			}
		}
		replicas := strings.TrimSpace(r.field("{.spec.replicas}"))
		return errors.Join(err, cloud.Matches("deployment/ai-agent-api",
			"{.status.replicas} {.status.updatedReplicas} {.status.readyReplicas}",
			strings.Join([]string{replicas, replicas, replicas}, " ")))
	})
}

// field is one of the API's Deployment.
func (r *rollout) field(jsonpath string) string {
	r.Helper()
	return cloud.Kubectl(r.T, "get", "deployment/ai-agent-api", "-o", "jsonpath="+jsonpath)
}

// up deploys the configuration with all changes made so far.
func (r *rollout) up() error {
	r.Helper()
	file := cloud.ChangedConfig(r.T, "api", func(api map[string]any) { maps.Copy(api, r.api) })
	cloud.Pulumi(r.T, "config", "set", "--path", "agentstack:config.postgres.passwordVersion",
		fmt.Sprint(r.passwordVersion), "--config-file", file)
	_, err := cloud.Try("pulumi", "up", "--yes", "--skip-preview", "--config-file", file,
		"--stack", "local", "--non-interactive")
	return err
}

// mustRoll deploys, and wants every pod of the API to be another one afterwards.
func (r *rollout) mustRoll() {
	r.Helper()
	before := r.names()
	if err := r.up(); err != nil {
		r.Fatal(err)
	}
	r.rolled()
	for name := range r.names() {
		if before[name] {
			r.Errorf("pod %s is still there", name)
		}
	}
}

// names are those of the API's pods, the canary's aside.
func (r *rollout) names() map[string]bool {
	r.Helper()
	pods, err := cloud.Pods("app.kubernetes.io/name=ai-agent-api")
	if err != nil {
		r.Fatal(err)
	}
	names := map[string]bool{}
	for _, pod := range pods {
		names[pod.Metadata.Name] = true
	}
	return names
}

func imageChanged(r *rollout) {
	r.files.newImage(r.T)
	r.mustRoll()
}

func configurationChanged(r *rollout) {
	r.api["logLevel"] = "info"
	r.mustRoll()
}

// secretsRotated gives the API another key to sign tokens with, while those of before hold, and PostgreSQL's other role
// with a new password.
func secretsRotated(r *rollout) {
	encoded := cloud.Kubectl(r.T, "get", "secret/ai-agent-jwt-keys", "-o", "jsonpath={.data.JWT_KEYS}")
	before, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(before) == 0 {
		r.Fatalf("decode JWT_KEYS: %d bytes, %v", len(before), err)
	}
	next := fmt.Sprintf("not a secret of anybody made at %d", time.Now().UnixNano())
	cloud.Pulumi(r.T, "config", "set", "--secret", "agentstack:jwtKeys", next+","+string(before))
	r.passwordVersion++
	role := `{.spec.template.spec.containers[0].env[?(@.name=="DATABASE_URL")].valueFrom.secretKeyRef.name}`
	secret := r.field(role)
	r.mustRoll()
	if r.field(role) == secret {
		r.Errorf("the API still takes its password from %s", secret)
	}
}

// scaledTo leaves the autoscaler no choice.
func scaledTo(pods int) func(*rollout) {
	return func(r *rollout) {
		r.api["minReplicas"], r.api["maxReplicas"] = pods, pods
		if err := r.up(); err != nil {
			r.Fatal(err)
		}
		cloud.Eventually(r.T, cloud.SettleTimeout, fmt.Sprintf("there are %d pods", pods), func() error {
			if ready := readyAPIPods(r.T); ready != pods {
				return fmt.Errorf("%d pods are ready", ready)
			}
			return nil
		})
	}
}

// image is what the API's Deployment runs.
const image = "{.spec.template.spec.containers[0].image}"

func canaryPasses(r *rollout) {
	delete(r.api, "minReplicas")
	delete(r.api, "maxReplicas")
	r.api["canary"] = map[string]any{"enabled": true, "weight": 20, "window": "1m", "minRequests": 50}
	before := r.field(image)
	r.files.newImage(r.T)
	r.mustRoll()
	if r.field(image) == before {
		r.Errorf("the API still runs %s", before)
	}
}

// canaryFails deploys an image that answers everything, and late.
func canaryFails(r *rollout) {
	before := r.field("{.spec.template}")
	r.files.slowImage(r.T)
	err := r.up()
	if err == nil {
		r.Fatal("a canary that is slow has passed")
	}
	_, verdict, found := strings.Cut(err.Error(), "the canary is refused: ")
	reason, _, _ := strings.Cut(verdict, "\n")
	if !found || !strings.Contains(reason, "p95 of requests of ") {
		r.Fatalf("pulumi up failed for another reason than p95: %v", err)
	}
	r.Log(reason)
	if r.field("{.spec.template}") != before {
		r.Error("the Deployment of the API was touched")
	}
	cloud.Eventually(r.T, cloud.SettleTimeout, "the canary has no pods", func() error {
		return cloud.Matches("deployment/ai-agent-api-canary", "{.spec.replicas},{.status.replicas}", "0,")
	})
}

// allAsBefore takes everything back but the secrets.
func allAsBefore(r *rollout) {
	r.files.restore(r.T)
	clear(r.api)
	r.mustRoll()
	if _, err := cloud.Try("kubectl", "-n", cloud.Namespace, "get", "deployment/ai-agent-api-canary"); err == nil {
		r.Error("the canary is still there")
	}
	cloud.Settled(r.T, r.atRest)
}

func rowOf(c change, took time.Duration, seen load.Result) string {
	return fmt.Sprintf("| %s | %.0f | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |",
		c.name, took.Seconds(), seen.Sent, seen.Failed, seen.P95.Milliseconds(),
		seen.Streams.Finished, seen.Streams.Resumed, seen.Streams.Cut, seen.Streams.Failed,
		seen.Sockets.Finished, seen.Sockets.Resumed, seen.Sockets.Cut, seen.Sockets.Failed)
}

// tableOf is a table in Markdown.
func tableOf(rows []string) string {
	return "\n| change | s | requests | failed | p95, ms | streams finished | resumed | cut | failed " +
		"| answers over WebSockets | resumed | cut | failed |\n" +
		strings.Repeat("|---", 13) + "|\n" + strings.Join(rows, "\n")
}
