// Package pulumitest runs Pulumi programs without an engine and without providers, records every resource
// that they register, and compares the record with golden files.
package pulumitest

import (
	"cmp"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Project and Stack are the names under which programs run here.
const (
	Project = "agentstack"
	Stack   = "test"
)

// Config is the stack configuration that a program sees: full keys such as "agentstack:config", values as
// Pulumi passes them (objects as JSON). Secret lists the keys that the stack keeps encrypted.
//
// NoCloud, where it is set, is the error of every provider function: that of a provider without credentials.
type Config struct {
	Values  map[string]string
	Secret  []string
	NoCloud error
}

// Up runs program as `pulumi up` on an empty stack and fails the test when the program fails.
func Up(t testing.TB, program pulumi.RunFunc, config ...Config) *Recording {
	t.Helper()
	recording, err := Run(program, false, config...)
	if err != nil {
		t.Fatalf("run program: %v", err)
	}
	return recording
}

// Preview runs program as `pulumi preview` on an empty stack, where every output of every resource is
// unknown, and fails the test when the program fails.
func Preview(t testing.TB, program pulumi.RunFunc, config ...Config) *Recording {
	t.Helper()
	recording, err := Run(program, true, config...)
	if err != nil {
		t.Fatalf("preview program: %v", err)
	}
	return recording
}

// Run runs program and returns what it registered together with the error that it ended with.
func Run(program pulumi.RunFunc, dryRun bool, config ...Config) (*Recording, error) {
	return record(program, &recorder{dryRun: dryRun, regions: map[string]string{}}, config...)
}

// UpRevealed is Up with the values of secrets in the recording, for those who check what a provider gets.
func UpRevealed(t testing.TB, program pulumi.RunFunc, config ...Config) *Recording {
	t.Helper()
	recording, err := record(program, &recorder{reveal: true, regions: map[string]string{}}, config...)
	if err != nil {
		t.Fatalf("run program: %v", err)
	}
	return recording
}

func record(program pulumi.RunFunc, recorder *recorder, config ...Config) (*Recording, error) {
	defer withoutEnv("KUBECONFIG")()
	configure := func(info *pulumi.RunInfo) {
		info.DryRun = recorder.dryRun
		for _, c := range config {
			info.Config, info.ConfigSecretKeys = c.Values, c.Secret
			recorder.noCloud = c.NoCloud
		}
	}
	err := pulumi.RunErr(program, pulumi.WithMocks(Project, Stack, recorder), configure)
	return recorder.recording(), err
}

// withoutEnv unsets an environment variable from which the SDK takes defaults, so that recordings are the
// same on every machine, and returns a function that puts it back.
func withoutEnv(name string) (restore func()) {
	value, found := os.LookupEnv(name)
	if !found {
		return func() {}
	}
	os.Unsetenv(name)
	return func() { os.Setenv(name, value) }
}

type recorder struct {
	noCloud error
	dryRun  bool
	reveal  bool // record the values of secrets

	mu        sync.Mutex
	resources []Resource
	regions   map[string]string // of AWS providers, by their references
	outputs   int
}

// NewResource implements pulumi.MockResourceMonitor.
func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	recorded, err := newResource(args, r.reveal)
	if err != nil {
		return "", nil, fmt.Errorf("record %s %s: %w", args.TypeToken, args.Name, err)
	}
	r.mu.Lock()
	r.resources = append(r.resources, recorded)
	if region, isText := recorded.At("region").(string); isText && args.TypeToken == "pulumi:providers:aws" {
		r.regions[recorded.Type+" "+recorded.Name] = region
	}
	r.mu.Unlock()
	if r.dryRun {
		return "", previewOutputs(args), nil
	}
	return args.Name + "-id", fakeOutputs(args, r.region(args.Provider)), nil
}

// Call implements pulumi.MockResourceMonitor. Of the cloud, programs look up what awsAnswer knows.
func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if r.noCloud != nil {
		return nil, r.noCloud
	}
	answer, known := awsAnswer(args.Token, r.region(args.Provider))
	if !known {
		return nil, fmt.Errorf("unexpected provider function %s", args.Token)
	}
	return resource.NewPropertyMapFromMap(answer), nil
}

// region returns the region of an AWS provider.
func (r *recorder) region(provider string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return cmp.Or(r.regions[reference(provider)], Region)
}

// RegisterResourceOutputs is called once for every component, and for the stack, that ends with it.
func (r *recorder) RegisterResourceOutputs() (*emptypb.Empty, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outputs++
	return &emptypb.Empty{}, nil
}

func (r *recorder) recording() *Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	recording := &Recording{Resources: r.resources, RegisteredOutputs: r.outputs}
	recording.sort()
	return recording
}

func unmarshalInputs(rpc *pulumirpc.RegisterResourceRequest, reveal bool) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(rpc.GetObject(), plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: !reveal, KeepResources: true, KeepOutputValues: true,
	})
}
