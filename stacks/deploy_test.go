package stacks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
	"agentstack/internal/supplychain"
)

func init() {
	attach = func(context.Context, supplychain.Image, supplychain.Key) error { return nil }
}

// TestGoldens compares what is registered here; the children of components are in the components' own goldens.
func TestGoldens(t *testing.T) {
	own := func(resource pulumitest.Resource) bool {
		parent, _, _ := strings.Cut(resource.Parent, " ")
		component, _ := strings.CutPrefix(parent, "agentstack:components:")
		return !slices.Contains([]string{
			"ApiService", "BackupJob", "HaPostgres", "MonitoringStack", "RedisCluster",
			"Backups", "Certificates", "DnsRecords", "EksCluster", "Network", "Registry",
		}, component)
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
			if !strings.HasPrefix(resource.Type, "kubernetes:") || resource.Type == "kubernetes:helm.sh/v3:Release" {
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

// TestDataChangesInPlace: docs/adr/0019-names-that-stay.md.
func TestDataChangesInPlace(t *testing.T) {
	forEachStack(t, func(t *testing.T, recording *pulumitest.Recording) {
		providers := recording.OfType("pulumi:providers:kubernetes")
		for _, provider := range providers {
			for _, setting := range []string{"enableConfigMapMutable", "enableSecretMutable"} {
				if got := provider.At(setting); got != true {
					t.Errorf("%s of %s is %v", setting, provider.Name, got)
				}
			}
		}
		if len(providers) == 0 {
			t.Error("no providers registered")
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

// TestRegionsRunTheSame compares what keeps running: the database of a standby follows another region's, and migrations
// and backups run where it is written. A guard replaces a primary only where there is one that confirms commits.
func TestRegionsRunTheSame(t *testing.T) {
	recording := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentProduction))
	// The names that the provider makes differ between the regions as they should.
	madeNames := regexp.MustCompile(`-[0-9a-f]{8}\b`)
	replacing := regexp.MustCompile(`REPLACE_CUT_OFF value:(true|false)`)
	inRegion := func(region string) map[string]string {
		workloads := map[string]string{}
		for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
			for _, resource := range recording.OfType("kubernetes:apps/v1:" + kind) {
				if resource.At("metadata", "labels", kube.LabelRegion) == region {
					inputs := madeNames.ReplaceAllString(fmt.Sprint(resource.Inputs), "")
					inputs = replacing.ReplaceAllString(inputs, "")
					workloads[kind+" "+strings.ReplaceAll(resource.Name, region, "R")] =
						strings.ReplaceAll(inputs, region, "R")
				}
			}
		}
		return workloads
	}
	primary, secondary := inRegion("us-east-1"), inRegion("eu-west-1")
	if len(primary) < 5 || len(primary) != len(secondary) {
		t.Errorf("%d workloads in the primary region, %d in the other", len(primary), len(secondary))
	}
	for name, inputs := range primary {
		if secondary[name] != inputs {
			t.Errorf("%s differs between the regions:\n%s\n%s", name, inputs, secondary[name])
		}
	}
}

func TestOnlyThePrimaryRegionIsWritten(t *testing.T) {
	recording := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentProduction))
	// Each region has a cache of its own.
	writers := recording.Only(func(r pulumitest.Resource) bool {
		return r.At("metadata", "labels", kube.LabelComponent) != "cache"
	})
	for _, resourceType := range []string{"kubernetes:batch/v1:Job", "kubernetes:batch/v1:CronJob"} {
		found := writers.OfType(resourceType)
		if len(found) != 1 || found[0].At("metadata", "labels", kube.LabelRegion) != "us-east-1" {
			t.Errorf("%s: %v, want one, in us-east-1", resourceType, found)
		}
	}
	for region, leader := range map[string]string{"us-east-1": "this-region", "eu-west-1": "primary-region"} {
		cluster := recording.Find(t, "kubernetes:postgresql.cnpg.io/v1:Cluster", "ai-agent-db-"+region)
		if got := cluster.At("spec", "replica", "primary"); got != leader {
			t.Errorf("the database of %s follows %v, want %s", region, got, leader)
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

func TestMissingCredentialsAreNamedInOneLine(t *testing.T) {
	config := stackConfig(t, EnvironmentStaging)
	config.NoCloud = errors.New("no valid credential sources found\nfor details see the log\nof the provider")
	recording, err := pulumitest.Run(Deploy, true, config)
	if err == nil {
		t.Fatal("deployed without credentials")
	}
	for _, want := range []string{"AWS_PROFILE", "aws sso login", "no valid credential sources found"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "for details") {
		t.Errorf("error has more than the first line of the reason:\n%v", err)
	}
	for _, resource := range recording.Resources {
		if !strings.HasPrefix(resource.Type, "pulumi:providers:") {
			t.Errorf("registered %s %s", resource.Type, resource.Name)
		}
	}
}
