package stacks

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"agentstack/internal/pulumitest"
)

// podSpecs returns the pod specifications of all workloads, by resource.
func podSpecs(recording *pulumitest.Recording) map[string]map[string]any {
	specs := map[string]map[string]any{}
	for _, resource := range recording.Resources {
		if spec, isWorkload := resource.At("spec", "template", "spec").(map[string]any); isWorkload {
			specs[resource.Type+" "+resource.Name] = spec
		}
	}
	return specs
}

func containers(spec map[string]any) []pulumitest.Resource {
	var all []pulumitest.Resource
	for _, kind := range []string{"initContainers", "containers"} {
		list, _ := spec[kind].([]any)
		for _, container := range list {
			inputs, _ := container.(map[string]any)
			all = append(all, pulumitest.Resource{Inputs: inputs})
		}
	}
	return all
}

// https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
func TestPodsSatisfyTheRestrictedProfile(t *testing.T) {
	forEachStack(t, func(t *testing.T, recording *pulumitest.Recording) {
		specs := podSpecs(recording)
		if len(specs) == 0 {
			t.Fatal("no workloads registered")
		}
		for name, spec := range specs {
			pod := pulumitest.Resource{Inputs: spec}
			expect := func(resource pulumitest.Resource, want any, path ...any) {
				if got := resource.At(path...); got != want {
					t.Errorf("%s: %v = %v, want %v", name, path, got, want)
				}
			}
			expect(pod, true, "securityContext", "runAsNonRoot")
			expect(pod, "RuntimeDefault", "securityContext", "seccompProfile", "type")
			expect(pod, false, "automountServiceAccountToken")
			for _, forbidden := range []string{"hostNetwork", "hostPID", "hostIPC"} {
				expect(pod, nil, forbidden)
			}
			for _, container := range containers(spec) {
				expect(container, false, "securityContext", "allowPrivilegeEscalation")
				expect(container, true, "securityContext", "readOnlyRootFilesystem")
				expect(container, "ALL", "securityContext", "capabilities", "drop", 0)
				expect(container, nil, "securityContext", "capabilities", "add")
				expect(container, nil, "securityContext", "privileged")
			}
		}
	})
}

func TestContainersHaveFixedImagesAndBoundedMemory(t *testing.T) {
	forEachStack(t, func(t *testing.T, recording *pulumitest.Recording) {
		for name, spec := range podSpecs(recording) {
			for _, container := range containers(spec) {
				image, _ := container.At("image").(string)
				base := image[strings.LastIndex(image, "/")+1:]
				if !strings.ContainsAny(base, ":@") || strings.HasSuffix(base, ":latest") {
					t.Errorf("%s runs %q, which has no fixed tag or digest", name, image)
				}
				for _, path := range [][]any{{"limits", "memory"}, {"requests", "memory"}, {"requests", "cpu"}} {
					if container.At(append([]any{"resources"}, path...)...) == nil {
						t.Errorf("%s: container %v has no %v", name, container.At("name"), path)
					}
				}
			}
		}
	})
}

func TestNamespaceEnforcesTheRestrictedProfile(t *testing.T) {
	forEachStack(t, func(t *testing.T, recording *pulumitest.Recording) {
		for _, space := range recording.OfType("kubernetes:core/v1:Namespace") {
			for _, mode := range []string{"enforce", "audit", "warn"} {
				label := "pod-security.kubernetes.io/" + mode
				if got := space.At("metadata", "labels", label); got != "restricted" {
					t.Errorf("%s has %s=%v, want restricted", space.Name, label, got)
				}
			}
		}
	})
}

// TestSecretsStaySecret looks for the value of every secret, in clear or as base64, in everything that is
// registered.
func TestSecretsStaySecret(t *testing.T) {
	recording := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentProduction))
	shown, err := json.Marshal(recording.Resources)
	if err != nil {
		t.Fatalf("encode recording: %v", err)
	}
	for _, value := range []string{"sk-secret", "c2stc2VjcmV0"} {
		if strings.Contains(string(shown), value) {
			t.Errorf("a registered resource shows the secret %s", value)
		}
	}
	for _, secret := range recording.OfType("kubernetes:core/v1:Secret") {
		if secret.At("data") != pulumitest.Secret {
			t.Errorf("the data of Secret %s is %v, want it to be secret", secret.Name, secret.At("data"))
		}
		if secret.At("stringData") != nil {
			t.Errorf("Secret %s has stringData", secret.Name)
		}
	}
}

// TestSelectorsMatchOneWorkload guards against a Service or budget that also finds the pods of a Job.
func TestSelectorsMatchOneWorkload(t *testing.T) {
	recording := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentLocal))
	for _, service := range recording.OfType("kubernetes:core/v1:Service") {
		selector, _ := service.At("spec", "selector").(map[string]any)
		var kinds []string
		for _, workload := range recording.Resources {
			labels, _ := workload.At("spec", "template", "metadata", "labels").(map[string]any)
			if labels != nil && matches(labels, selector) && !slices.Contains(kinds, workload.Type) {
				kinds = append(kinds, workload.Type)
			}
		}
		if len(kinds) != 1 {
			t.Errorf("Service %s selects pods of %v, want one kind of workload", service.Name, kinds)
		}
	}
}

func matches(labels, selector map[string]any) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}
