package provider

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"agentstack/local/plugins/property"
)

const urn = "urn:pulumi:test::agentstack::docker:index/image:Image::api"

type properties = map[string]any

// screen keeps what the engine would show.
type screen struct {
	mutex sync.Mutex
	lines []string
	told  chan string
}

func (s *screen) Log(_ context.Context, _ diag.Severity, _ resource.URN, message string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lines = append(s.lines, message)
	select {
	case s.told <- message:
	default:
	}
	return nil
}

func (s *screen) LogStatus(ctx context.Context, level diag.Severity, urn resource.URN, message string) error {
	return s.Log(ctx, level, urn, message)
}

func (s *screen) text() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return strings.Join(s.lines, "\n")
}

// engineDriver plays the Pulumi engine's part: check, diff, then act.
type engineDriver struct {
	*Provider
	t      *testing.T
	screen *screen
}

func configured(t *testing.T, configuration properties) engineDriver {
	t.Helper()
	shown := &screen{told: make(chan string, 100)}
	p := New(shown)
	_, err := p.Configure(t.Context(), &pulumirpc.ConfigureRequest{Args: packed(t, configuration)})
	must(t, err)
	return engineDriver{p, t, shown}
}

func packed(t *testing.T, values properties) *structpb.Struct {
	t.Helper()
	result, err := marshal(resource.NewPropertyMapFromMap(values))
	must(t, err)
	return result
}

func unpacked(t *testing.T, values *structpb.Struct) resource.PropertyMap {
	t.Helper()
	result, err := property.Decode(values, "test")
	must(t, err)
	return result
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (e engineDriver) check(inputs properties) *structpb.Struct {
	e.t.Helper()
	response, err := e.Check(e.t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: packed(e.t, inputs)})
	must(e.t, err)
	if len(response.Failures) > 0 {
		e.t.Fatalf("inputs refused: %v", response.Failures)
	}
	return response.Inputs
}

func (e engineDriver) create(inputs properties, preview bool) resource.PropertyMap {
	e.t.Helper()
	response, err := e.Create(e.t.Context(), &pulumirpc.CreateRequest{
		Urn: urn, Properties: e.check(inputs), Preview: preview,
	})
	must(e.t, err)
	return unpacked(e.t, response.Properties)
}

// failure returns the error of a create that must fail.
func (e engineDriver) failure(inputs properties) string {
	e.t.Helper()
	_, err := e.Create(e.t.Context(), &pulumirpc.CreateRequest{Urn: urn, Properties: e.check(inputs)})
	if err == nil {
		e.t.Fatal("the build succeeded")
	}
	return err.Error()
}

// diff returns the paths that changed between a state and new inputs.
func (e engineDriver) diff(state resource.PropertyMap, inputs properties) []string {
	e.t.Helper()
	olds, err := marshal(state)
	must(e.t, err)
	response, err := e.Diff(e.t.Context(), &pulumirpc.DiffRequest{Urn: urn, Olds: olds, News: e.check(inputs)})
	must(e.t, err)
	if len(response.Replaces) > 0 {
		e.t.Errorf("a change of %v asks for replacement", response.Replaces)
	}
	var paths []string
	for path := range response.DetailedDiff {
		paths = append(paths, path)
	}
	if (response.Changes == pulumirpc.DiffResponse_DIFF_NONE) != (len(paths) == 0) {
		e.t.Errorf("changes is %s, but the paths are %v", response.Changes, paths)
	}
	return paths
}

// write makes files in a new folder, or in folder when it is given.
func write(t *testing.T, folder string, files map[string]string) string {
	t.Helper()
	if folder == "" {
		folder = t.TempDir()
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o755))
	}
	return folder
}

// project is a build context whose Dockerfile has these instructions after the probe is in place.
func (m *machine) project(t *testing.T, instructions string) string {
	t.Helper()
	probe, err := os.ReadFile(m.probe)
	must(t, err)
	return write(t, "", map[string]string{
		"probe":         string(probe),
		"Dockerfile":    "FROM scratch\nCOPY probe /probe\n" + instructions,
		".dockerignore": "*.log\n",
	})
}
