//go:build e2e

package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"agentstack/tests/cloud"
)

// up deploys the stack with other settings of PostgreSQL, beside those that earlier runs have changed, and waits until
// every instance has the change.
func (m *measurement) up(change func(postgres map[string]any), has func(cloud.Pod) error) {
	m.Helper()
	file := cloud.ChangedConfig(m.T, "postgres", func(postgres map[string]any) {
		maps.Copy(postgres, m.lab.postgres)
		change(postgres)
		m.lab.postgres = postgres
	})
	m.strike("pulumi up")
	cloud.Pulumi(m.T, "up", "--yes", "--skip-preview", "--config-file", file)
	m.Logf("pulumi up took %s", time.Since(m.struck).Round(time.Second))
	cloud.Eventually(m.T, cloud.SettleTimeout, "every instance has the change", func() error {
		instances, err := cloud.Pods(instanceLabel)
		for _, pod := range instances {
			err = errors.Join(err, has(pod))
		}
		return err
	})
	m.whole()
}

// parameterChanged changes one that needs a restart.
func parameterChanged(m *measurement) {
	value := fmt.Sprintf("%dkB", 64*1024+8*(time.Now().Unix()%4096))
	change := func(postgres map[string]any) {
		parameters := map[string]any{}
		if given, ok := postgres["parameters"].(map[string]any); ok {
			maps.Copy(parameters, given)
		}
		parameters["shared_buffers"] = value
		postgres["parameters"] = parameters
	}
	m.up(change, func(pod cloud.Pod) error {
		got, err := cloud.SQL(pod.Metadata.Name,
			"SELECT setting::int * 8 || 'kB' FROM pg_settings WHERE name = 'shared_buffers'")
		if err == nil && got != value {
			err = fmt.Errorf("%s has shared_buffers of %s, not %s", pod.Metadata.Name, got, value)
		}
		return err
	})
}

// imageChanged gives the same image another tag, which is another image for the operator.
func imageChanged(m *measurement) {
	image := cloud.Kubectl(m.T, "get", cloud.Database, "-o", "jsonpath={.spec.imageName}")
	_, path, _ := strings.Cut(image, "/")
	repository, tag, _ := strings.Cut(path, ":")
	copied := fmt.Sprintf("17-chaos-%d", time.Now().Unix())
	m.copyImage(repository, tag, copied)
	name := strings.TrimSuffix(image, tag) + copied
	m.up(func(postgres map[string]any) { postgres["image"] = name }, func(pod cloud.Pod) error {
		if got := pod.Spec.Containers[0].Image; got != name {
			return fmt.Errorf("%s runs %s, not %s", pod.Metadata.Name, got, name)
		}
		return nil
	})
}

// copyImage makes a tag in the instance's registry for what another one names.
func (m *measurement) copyImage(repository, tag, copied string) {
	m.Helper()
	api := cloud.Kubectl(m.T, "get", "deployment", "ai-agent-api", "-o",
		"jsonpath={.spec.template.spec.containers[0].image}")
	registry, _, _ := strings.Cut(api, "/")
	manifests := "http://" + registry + "/v2/" + repository + "/manifests/"
	ask := func(method, tag, mediaType string, body []byte) *http.Response {
		req, err := http.NewRequestWithContext(m.Context(), method, manifests+tag, bytes.NewReader(body))
		if err != nil {
			m.Fatal(err)
		}
		req.Header.Set("Content-Type", mediaType)
		req.Header["Accept"] = []string{
			"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
			"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			m.Fatal(err)
		}
		if resp.StatusCode >= http.StatusMultipleChoices {
			m.Fatalf("%s %s: %s", method, req.URL, resp.Status)
		}
		return resp
	}
	found := ask(http.MethodGet, tag, "", nil)
	manifest, err := io.ReadAll(found.Body)
	_ = found.Body.Close()
	if err != nil {
		m.Fatal(err)
	}
	_ = ask(http.MethodPut, copied, found.Header.Get("Content-Type"), manifest).Body.Close()
}

// passwordChanged raises its version by one, as who runs a stack does. The instances stay as they are.
func passwordChanged(m *measurement) {
	before := secretOf(m.T, "DATABASE_URL")["username"]
	raise := func(postgres map[string]any) {
		version, given := postgres["passwordVersion"].(float64)
		if !given {
			version = 1
		}
		postgres["passwordVersion"] = version + 1
	}
	m.up(raise, func(cloud.Pod) error { return nil })
	// The two roles take turns.
	if after := secretOf(m.T, "DATABASE_URL")["username"]; after == before {
		m.Errorf("the API still connects as %s", after)
	}
}
