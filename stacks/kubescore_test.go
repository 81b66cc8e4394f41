package stacks

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

// finding is what kube-score has against an object, in the forms that excuses have.
type finding struct {
	object, says string
}

// manifests returns the objects of each region. A region has a cluster of its own, so that two may have an object of
// the same name.
func manifests(recording *pulumitest.Recording) map[string][]map[string]any {
	regions := map[string][]map[string]any{}
	for _, resource := range recording.Resources {
		region, labelled := resource.At("metadata", "labels", kube.LabelRegion).(string)
		if !strings.HasPrefix(resource.Type, "kubernetes:") || !labelled {
			continue
		}
		// Where the provider makes the name, that of the resource stands in for it.
		if metadata, isObject := resource.At("metadata").(map[string]any); isObject && metadata["name"] == nil {
			metadata["name"] = strings.Replace(resource.Name, "-"+region, "", 1)
		}
		regions[region] = append(regions[region], resource.Inputs)
		if pods := operated(resource); pods != nil {
			regions[region] = append(regions[region], pods)
		}
	}
	return regions
}

// operated stands for the pods that the operator makes of a database or its pool, as far as this program decides them.
func operated(resource pulumitest.Resource) map[string]any {
	name, namespace := resource.At("metadata", "name"), resource.At("metadata", "namespace")
	switch resource.At("kind") {
	case "Cluster":
		labels := map[string]any{
			"cnpg.io/cluster": name, "cnpg.io/podRole": "instance", kube.LabelComponent: "database",
		}
		return map[string]any{
			"apiVersion": "v1", "kind": "Pod",
			"metadata": map[string]any{"name": name, "namespace": namespace, "labels": labels},
			"spec": map[string]any{
				"topologySpreadConstraints": resource.At("spec", "topologySpreadConstraints"),
				"containers": []any{map[string]any{
					"name": "postgres", "image": resource.At("spec", "imageName"), "env": resource.At("spec", "env"),
					"resources": resource.At("spec", "resources"),
				}},
			},
		}
	case "Pooler":
		selector := map[string]any{"cnpg.io/poolerName": name}
		labels := map[string]any{
			"cnpg.io/cluster": resource.At("spec", "cluster", "name"), "cnpg.io/podRole": "pooler",
			"cnpg.io/poolerName": name, kube.LabelComponent: "pooler",
		}
		return map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{"name": name, "namespace": namespace, "labels": labels},
			"spec": map[string]any{
				"replicas": resource.At("spec", "instances"), "strategy": resource.At("spec", "deploymentStrategy"),
				"selector": map[string]any{"matchLabels": selector},
				"template": map[string]any{
					"metadata": map[string]any{"labels": labels}, "spec": resource.At("spec", "template", "spec"),
				},
			},
		}
	}
	return nil
}

// kubeScore returns what kube-score has against the objects of one cluster, with its advice for each container.
func kubeScore(t *testing.T, objects []map[string]any) map[finding][]string {
	t.Helper()
	var documents, stderr bytes.Buffer
	unscored := map[string]bool{}
	for _, object := range objects {
		document, err := json.Marshal(object)
		if err != nil {
			t.Fatalf("encode object: %v", err)
		}
		documents.WriteString("---\n" + string(document) + "\n")
		metadata, _ := object["metadata"].(map[string]any)
		switch object["kind"] {
		case "Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob":
			unscored[fmt.Sprint(object["kind"], " ", metadata["name"])] = true
		}
	}
	program := filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), "kube-score")
	command := exec.CommandContext(t.Context(), program, "score", "--kubernetes-version=v1.34",
		"--all-default-optional", "--disable-ignore-checks-annotations", "--output-format=json", "-")
	command.Stdin, command.Stderr = &documents, &stderr
	// Status 1 says no more than that something is critical.
	output, runErr := command.Output()
	var scored []scoredObject
	if err := json.Unmarshal(output, &scored); err != nil {
		t.Fatalf("run kube-score, which `make deps` puts where AGENTSTACK_TOOLS says: %v: %v\n%s",
			runErr, err, stderr.String())
	}
	found := map[finding][]string{}
	for _, object := range scored {
		name := object.Type.Kind + " " + object.Metadata.Name
		delete(unscored, name)
		for _, check := range object.Checks {
			if check.Skipped || check.Grade > gradeWarning {
				continue
			}
			if len(check.Comments) == 0 {
				t.Errorf("%s fails the check %s without a word", name, check.Check.ID)
			}
			for _, comment := range check.Comments {
				finding := finding{name, check.Check.ID + ": " + comment.Summary}
				found[finding] = append(found[finding], cmp.Or(comment.Path, "all of it")+": "+comment.Description)
			}
		}
	}
	for name := range unscored {
		t.Errorf("kube-score does not score %s", name)
	}
	return found
}

// gradeWarning is the better of the two grades that count: 1 is critical, 5 a warning, 7 almost well, 10 well.
const gradeWarning = 5

// scoredObject is what kube-score answers for an object.
type scoredObject struct {
	Type struct {
		Kind string `json:"kind"`
	} `json:"type_meta"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"object_meta"`
	Checks []struct {
		Check struct {
			ID string `json:"id"`
		} `json:"check"`
		Grade    int  `json:"grade"`
		Skipped  bool `json:"skipped"`
		Comments []struct {
			Path        string `json:"path"`
			Summary     string `json:"summary"`
			Description string `json:"description"`
		} `json:"comments"`
	} `json:"checks"`
}
