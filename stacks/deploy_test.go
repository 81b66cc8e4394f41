package stacks

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

// TestGoldens compares what is registered here; the children of components are in the components' own goldens.
func TestGoldens(t *testing.T) {
	own := func(resource pulumitest.Resource) bool {
		parent, _, _ := strings.Cut(resource.Parent, " ")
		return !slices.Contains([]string{
			"agentstack:components:ApiService",
			"agentstack:components:HaPostgres",
			"agentstack:components:RedisCluster",
		}, parent)
	}
	for _, stack := range environments {
		t.Run(stack, func(t *testing.T) {
			pulumitest.Up(t, Deploy, stackConfig(t, stack)).Only(own).Golden(t, stack)
			pulumitest.Preview(t, Deploy, stackConfig(t, stack)).Only(own).Golden(t, stack+"-preview")
		})
	}
}

func TestPreviewRegistersTheSame(t *testing.T) {
	forEachStack(t, func(t *testing.T, recording *pulumitest.Recording) {
		preview := pulumitest.Preview(t, Deploy, stackConfig(t, filepath.Base(t.Name())))
		if !slices.Equal(recording.References(), preview.References()) {
			t.Errorf("up registers %v, preview %v", recording.References(), preview.References())
		}
	})
}

// forEachStack runs check on what each stack registers.
func forEachStack(t *testing.T, check func(t *testing.T, recording *pulumitest.Recording)) {
	for _, stack := range environments {
		t.Run(stack, func(t *testing.T) {
			check(t, pulumitest.Up(t, Deploy, stackConfig(t, stack)))
		})
	}
}

func TestEveryObjectBelongsToARegion(t *testing.T) {
	forEachStack(t, func(t *testing.T, recording *pulumitest.Recording) {
		objects := 0
		for _, resource := range recording.Resources {
			if !strings.HasPrefix(resource.Type, "kubernetes:") {
				continue
			}
			objects++
			region, _ := resource.At("metadata", "labels", kube.LabelRegion).(string)
			if region == "" {
				t.Errorf("%s %s has no region label", resource.Type, resource.Name)
				continue
			}
			if want := "pulumi:providers:kubernetes kubernetes-" + region; resource.Provider != want {
				t.Errorf("%s %s has provider %q, want %q", resource.Type, resource.Name, resource.Provider, want)
			}
			if !strings.Contains(resource.Name, region) {
				t.Errorf("the name of %s %s does not contain its region %s", resource.Type, resource.Name, region)
			}
		}
		if objects == 0 {
			t.Error("no Kubernetes objects registered")
		}
	})
}

func TestEveryComponentRegistersItsOutputs(t *testing.T) {
	forEachStack(t, func(t *testing.T, recording *pulumitest.Recording) {
		const stack = 1
		components := 0
		for _, resource := range recording.Resources {
			if !resource.Custom {
				components++
			}
		}
		if recording.RegisteredOutputs != components+stack {
			t.Errorf("outputs registered %d times, want %d components and the stack",
				recording.RegisteredOutputs, components)
		}
	})
}

func TestRegionsRunTheSame(t *testing.T) {
	recording := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentProduction))
	// The names that the provider makes differ between the regions as they should.
	madeNames := regexp.MustCompile(`-[0-9a-f]{8}\b`)
	inRegion := func(region string) map[string]string {
		objects := map[string]string{}
		for _, resource := range recording.Resources {
			if resource.At("metadata", "labels", kube.LabelRegion) == region {
				inputs := madeNames.ReplaceAllString(fmt.Sprint(resource.Inputs), "")
				objects[resource.Type+" "+strings.ReplaceAll(resource.Name, region, "R")] =
					strings.ReplaceAll(inputs, region, "R")
			}
		}
		return objects
	}
	primary, secondary := inRegion("us-east-1"), inRegion("eu-west-1")
	if len(primary) == 0 || len(primary) != len(secondary) {
		t.Errorf("%d objects in the primary region, %d in the other", len(primary), len(secondary))
	}
	for name, inputs := range primary {
		if secondary[name] != inputs {
			t.Errorf("%s differs between the regions:\n%s\n%s", name, inputs, secondary[name])
		}
	}
}

func TestImagesAreBuiltOncePerStack(t *testing.T) {
	for stack, want := range map[string]int{EnvironmentLocal: 2, EnvironmentStaging: 1, EnvironmentProduction: 1} {
		recording := pulumitest.Up(t, Deploy, stackConfig(t, stack))
		if got := len(recording.OfType("docker:index/image:Image")); got != want {
			t.Errorf("%s builds %d images, want %d", stack, got, want)
		}
	}
}

func TestMockModelOnlyWhereAskedFor(t *testing.T) {
	for _, stack := range environments {
		recording := pulumitest.Up(t, Deploy, stackConfig(t, stack))
		got := len(recording.OfType(mockTypeToken)) > 0
		if want := stack == EnvironmentLocal; got != want {
			t.Errorf("%s deploys the mock model: %v, want %v", stack, got, want)
		}
	}
}
