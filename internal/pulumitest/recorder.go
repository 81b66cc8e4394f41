// Package pulumitest runs Pulumi programs without an engine and without providers, records every resource
// that they register, and compares the record with golden files.
package pulumitest

import (
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
type Config struct {
	Values map[string]string
	Secret []string
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
	defer withoutEnv("KUBECONFIG")()
	recorder := &recorder{dryRun: dryRun}
	configure := func(info *pulumi.RunInfo) {
		info.DryRun = dryRun
		for _, c := range config {
			info.Config, info.ConfigSecretKeys = c.Values, c.Secret
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
	dryRun bool

	mu        sync.Mutex
	resources []Resource
	outputs   int
}

// NewResource implements pulumi.MockResourceMonitor.
func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	recorded, err := newResource(args)
	if err != nil {
		return "", nil, fmt.Errorf("record %s %s: %w", args.TypeToken, args.Name, err)
	}
	r.mu.Lock()
	r.resources = append(r.resources, recorded)
	r.mu.Unlock()
	if r.dryRun {
		return "", resource.PropertyMap{}, nil
	}
	return args.Name + "-id", fakeOutputs(args), nil
}

// Call implements pulumi.MockResourceMonitor. Programs here look nothing up.
func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, fmt.Errorf("unexpected provider function %s", args.Token)
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

func unmarshalInputs(rpc *pulumirpc.RegisterResourceRequest) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(rpc.GetObject(), plugin.MarshalOptions{
		KeepUnknowns: true, KeepSecrets: true, KeepResources: true, KeepOutputValues: true,
	})
}
