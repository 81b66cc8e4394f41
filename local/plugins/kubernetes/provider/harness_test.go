package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/client-go/kubernetes"

	"agentstack/local/apitest"
	"agentstack/local/plugins/kubernetes/engine"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/property"
)

var server *apitest.Server

// TestMain runs the tests against one real API server with the real controllers. Nothing runs pods: where a
// test needs one to start or to fail, it plays the kubelet (see kubelet_test.go).
func TestMain(m *testing.M) {
	var err error
	server, err = apitest.Start(apitest.Options{
		Controllers: true, Definitions: []string{filepath.Join("testdata", "widgets.yaml")},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// host records what the provider tells the user.
type host struct {
	mu       sync.Mutex
	messages []string
}

func (h *host) Log(_ context.Context, _ diag.Severity, _ resource.URN, message string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, message)
	return nil
}

func (h *host) LogStatus(ctx context.Context, severity diag.Severity, urn resource.URN, message string) error {
	return h.Log(ctx, severity, urn, message)
}

func (h *host) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.messages, "\n")
}

// stack is a configured provider and a namespace for one test.
type stack struct {
	*testing.T
	provider  *Provider
	host      *host
	client    kubernetes.Interface
	namespace string
}

func newStack(t *testing.T, config map[string]string) *stack {
	t.Helper()
	s := &stack{T: t, host: &host{}, client: kubernetes.NewForConfigOrDie(server.Config)}
	redactor := &object.Redactor{}
	s.provider = New(engine.NewLog(s.host, redactor.Redact), redactor)
	configure(t, s.provider, string(server.Kubeconfig), config)
	name := "test-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	s.namespace = name[:min(len(name), 63)]
	s.up("kubernetes:core/v1:Namespace", s.namespace, doc{"metadata": doc{"name": s.namespace}})
	return s
}

// configure sends a provider its arguments as the SDK does: whatever is no string as JSON.
func configure(t *testing.T, p *Provider, kubeconfig string, config map[string]string) {
	t.Helper()
	args := resource.PropertyMap{"kubeconfig": resource.MakeSecret(resource.NewStringProperty(kubeconfig))}
	for key, value := range config {
		args[resource.PropertyKey(key)] = resource.NewStringProperty(value)
	}
	p.keepSecrets = true
	encoded, err := p.marshal(args, "test")
	require.NoError(t, err)
	_, err = p.Configure(t.Context(), &pulumirpc.ConfigureRequest{Args: encoded, AcceptSecrets: true})
	require.NoError(t, err)
}

// doc is an object as a program writes it.
type doc = map[string]any

// res is a resource as the engine remembers it.
type res struct {
	urn    string
	id     string
	inputs *structpb.Struct
	state  *structpb.Struct
}

func urnOf(token, name string) string {
	return fmt.Sprintf("urn:pulumi:test::agentstack::%s::%s", token, name)
}

func (s *stack) properties(d doc) *structpb.Struct {
	s.Helper()
	encoded, err := s.provider.marshal(resource.NewPropertyMapFromMap(d), "test")
	require.NoError(s, err)
	return encoded
}

func decode(t *testing.T, properties *structpb.Struct) resource.PropertyMap {
	t.Helper()
	decoded, err := property.Decode(properties, "test")
	require.NoError(t, err)
	return decoded
}

// live returns the state without secretness, as a program would read it.
func (r *res) live(t *testing.T) doc { return object.FromProperties(decode(t, r.state)).Object }

func withKind(token string, d doc) doc {
	parts := strings.Split(token, ":")
	complete := doc{"apiVersion": strings.TrimPrefix(parts[1], "core/"), "kind": parts[2]}
	for key, value := range d {
		complete[key] = value
	}
	return complete
}

func (s *stack) check(token, name string, olds *structpb.Struct, d doc) *pulumirpc.CheckResponse {
	s.Helper()
	response, err := s.provider.Check(s.Context(), &pulumirpc.CheckRequest{
		Urn: urnOf(token, name), Olds: olds, News: s.properties(withKind(token, d)), RandomSeed: []byte("seed"),
		Type: token,
	})
	require.NoError(s, err)
	return response
}

func (s *stack) tryUp(token, name string, d doc, timeout time.Duration) (*res, error) {
	s.Helper()
	checked := s.check(token, name, nil, d)
	require.Empty(s, checked.GetFailures())
	r := &res{urn: urnOf(token, name), inputs: checked.GetInputs()}
	response, err := s.provider.Create(s.Context(), &pulumirpc.CreateRequest{
		Urn: r.urn, Properties: r.inputs, Timeout: timeout.Seconds(),
	})
	r.id, r.state = response.GetId(), response.GetProperties()
	return r, err
}

func (s *stack) up(token, name string, d doc) *res {
	s.Helper()
	r, err := s.tryUp(token, name, d, time.Minute)
	require.NoError(s, err)
	return r
}

// in puts an object into the test's namespace under a name.
func (s *stack) in(name string, d doc) doc {
	placed := doc{"metadata": doc{"name": name, "namespace": s.namespace}}
	for key, value := range d {
		placed[key] = value
	}
	return placed
}

func (s *stack) diff(r *res, token string, d doc) (*pulumirpc.DiffResponse, *structpb.Struct) {
	s.Helper()
	checked := s.check(token, nameOf(r.urn), r.inputs, d)
	require.Empty(s, checked.GetFailures())
	response, err := s.provider.Diff(s.Context(), &pulumirpc.DiffRequest{
		Id: r.id, Urn: r.urn, Olds: r.state, OldInputs: r.inputs, News: checked.GetInputs(),
	})
	require.NoError(s, err)
	return response, checked.GetInputs()
}

func nameOf(urn string) string { return urn[strings.LastIndex(urn, "::")+2:] }

func (s *stack) update(r *res, token string, d doc, preview bool) (*res, error) {
	s.Helper()
	checked := s.check(token, nameOf(r.urn), r.inputs, d)
	require.Empty(s, checked.GetFailures())
	response, err := s.provider.Update(s.Context(), &pulumirpc.UpdateRequest{
		Id: r.id, Urn: r.urn, Olds: r.state, OldInputs: r.inputs, News: checked.GetInputs(), Preview: preview,
		Timeout: time.Minute.Seconds(),
	})
	return &res{urn: r.urn, id: r.id, inputs: checked.GetInputs(), state: response.GetProperties()}, err
}

func (s *stack) read(r *res) (*pulumirpc.ReadResponse, error) {
	s.Helper()
	return s.provider.Read(s.Context(), &pulumirpc.ReadRequest{
		Id: r.id, Urn: r.urn, Properties: r.state, Inputs: r.inputs,
	})
}

// drift refreshes the resource and returns what the engine would show as changed.
func (s *stack) drift(r *res) *pulumirpc.DiffResponse {
	s.Helper()
	read, err := s.read(r)
	require.NoError(s, err)
	response, err := s.provider.Diff(s.Context(), &pulumirpc.DiffRequest{
		Id: r.id, Urn: r.urn, Olds: read.GetProperties(), OldInputs: read.GetInputs(), News: r.inputs,
	})
	require.NoError(s, err)
	return response
}

func (s *stack) delete(r *res) {
	s.Helper()
	_, err := s.provider.Delete(s.Context(), &pulumirpc.DeleteRequest{
		Id: r.id, Urn: r.urn, Properties: r.state, Timeout: time.Minute.Seconds(),
	})
	require.NoError(s, err)
}

// initFailure returns what the engine learns from a resource that exists and is not ready.
func initFailure(t *testing.T, err error) *pulumirpc.ErrorResourceInitFailed {
	t.Helper()
	require.Error(t, err)
	status, ok := rpcerror.FromError(err)
	require.True(t, ok, "no gRPC status in %v", err)
	require.Len(t, status.Details(), 1, "%v", err)
	detail, ok := status.Details()[0].(*pulumirpc.ErrorResourceInitFailed)
	require.True(t, ok)
	return detail
}

func plainText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
