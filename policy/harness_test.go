package main

import (
	"bufio"
	"cmp"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"sigs.k8s.io/yaml"

	"agentstack/policy/rule"
)

// serveVariable makes the test binary the policy pack that the tests talk to.
const serveVariable = "AGENTSTACK_TEST_SERVE_POLICIES"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// pack is a running policy pack.
type pack struct {
	pulumirpc.AnalyzerClient
}

// startPack runs the pack as the engine does: as a process that prints its port.
func startPack(t *testing.T) pack {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), serveVariable+"=1")
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("start policy pack: %v", err)
	}
	t.Cleanup(func() {
		if err := command.Process.Kill(); err != nil {
			t.Errorf("stop policy pack: %v", err)
		}
		_ = command.Wait() // It was killed.
	})
	port, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("read port of policy pack: %v", err)
	}
	connection, err := grpc.NewClient("127.0.0.1:"+strings.TrimSpace(port),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatalf("connect to policy pack: %v", err)
	}
	t.Cleanup(func() { connection.Close() })
	client := pulumirpc.NewAnalyzerClient(connection)
	if _, err := client.Handshake(t.Context(), &pulumirpc.AnalyzerHandshakeRequest{}); err != nil {
		t.Fatalf("shake hands with policy pack: %v", err)
	}
	return pack{client}
}

// forStack makes the pack forget what it saw and judge a stack of the environment.
func (p pack) forStack(t *testing.T, environment string) {
	t.Helper()
	_, err := p.ConfigureStack(t.Context(), &pulumirpc.AnalyzerStackConfigureRequest{
		Project: "agentstack",
		Stack:   "organization-" + environment,
		Config:  map[string]string{"agentstack:config": `{"environment":"` + environment + `"}`},
		DryRun:  true,
	})
	if err != nil {
		t.Fatalf("configure policy pack: %v", err)
	}
}

func (p pack) policies(t *testing.T) []*pulumirpc.PolicyInfo {
	t.Helper()
	p.forStack(t, "staging")
	info, err := p.GetAnalyzerInfo(t.Context(), &emptypb.Empty{})
	if err != nil {
		t.Fatalf("get policies: %v", err)
	}
	return info.GetPolicies()
}

// object is a resource as a program registers it.
type object struct {
	token, name string
	inputs      resource.PropertyMap
	provider    string
	settings    resource.PropertyMap
	// from are the URNs that inputs were computed from.
	from map[string][]string
}

func (o object) urn() string { return "urn:pulumi:test::agentstack::" + o.token + "::" + o.name }

// kube is a Kubernetes object from its manifest.
func kube(manifest string) object {
	inputs := properties(manifest)
	text := func(path string) string {
		value, _ := mustPath(path).Get(resource.NewObjectProperty(inputs))
		return value.StringValue()
	}
	group := text("apiVersion")
	if !strings.Contains(group, "/") {
		group = "core/" + group
	}
	return object{
		token:    "kubernetes:" + group + ":" + text("kind"),
		name:     text("metadata.name"),
		inputs:   inputs,
		provider: "urn:pulumi:test::agentstack::pulumi:providers:kubernetes::one",
	}
}

// cloud is a resource of AWS.
func cloud(token, name, inputs string) object {
	return object{token: "aws:" + token, name: name, inputs: properties(inputs),
		provider: "urn:pulumi:test::agentstack::pulumi:providers:aws::one"}
}

// with returns the object with other inputs: paths and values in turn. The value remove takes the path away.
func (o object) with(changes ...any) object {
	root := resource.NewObjectProperty(deepCopy(o.inputs))
	for i := 0; i < len(changes); i += 2 {
		path := mustPath(changes[i].(string))
		ok := false
		if changes[i+1] == remove {
			ok = path.Delete(root)
		} else {
			root, ok = path.Add(root, resource.NewPropertyValue(changes[i+1]))
		}
		if !ok {
			panic("cannot change " + changes[i].(string) + " of " + o.name)
		}
	}
	o.inputs = root.ObjectValue()
	return o
}

// abroad returns the object as one of another cluster.
func (o object) abroad() object {
	o.provider = "urn:pulumi:test::agentstack::pulumi:providers:kubernetes::two"
	o.name += "-two"
	return o
}

// computedFrom returns the object with an unknown input that depends on another object.
func (o object) computedFrom(input string, other object) object {
	o = o.with(input, unknown)
	o.from = map[string][]string{input: {other.urn()}}
	return o
}

type removal struct{}

var (
	remove  = removal{}
	unknown = resource.MakeComputed(resource.NewStringProperty(""))
)

func deepCopy(properties resource.PropertyMap) resource.PropertyMap {
	copied, err := plugin.UnmarshalProperties(marshal(properties), everything)
	if err != nil {
		panic(err)
	}
	return copied
}

func mustPath(path string) resource.PropertyPath {
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		panic(err)
	}
	return parsed
}

func properties(text string) resource.PropertyMap {
	var values map[string]any
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		panic(err)
	}
	return resource.NewPropertyMapFromMap(values)
}

// everything is how the engine sends properties to an analyzer.
var everything = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipInternalKeys: true}

func marshal(properties resource.PropertyMap) *structpb.Struct {
	encoded, err := plugin.MarshalProperties(properties, everything)
	if err != nil {
		panic(err)
	}
	return encoded
}

// judge sends the objects as the engine does, each alone and then all together, and returns what one rule found.
// Together they come without properties, as what depends on a cluster that is still to be made.
func (p pack) judge(t *testing.T, e example) []*pulumirpc.AnalyzeDiagnostic {
	t.Helper()
	p.forStack(t, cmp.Or(e.environment, "staging"))
	var found []*pulumirpc.AnalyzeDiagnostic
	for _, o := range e.objects {
		found = append(found, p.analyze(t, o)...)
	}
	found = append(found, p.analyzeStack(t, e.objects, func(object) resource.PropertyMap { return nil })...)
	return slices.DeleteFunc(found, func(d *pulumirpc.AnalyzeDiagnostic) bool { return d.GetPolicyName() != e.rule })
}

// judgeAlone is judge for a pack that only enforces the rule of the example. Nothing is remembered then, so what
// comes together comes with its properties.
func (p pack) judgeAlone(t *testing.T, e example) []*pulumirpc.AnalyzeDiagnostic {
	t.Helper()
	index := slices.IndexFunc(allRules, func(r rule.Rule) bool { return r.Name == e.rule })
	if allRules[index].Stack != nil {
		return p.analyzeStack(t, e.objects, func(o object) resource.PropertyMap { return o.inputs })
	}
	var found []*pulumirpc.AnalyzeDiagnostic
	for _, o := range e.objects {
		found = append(found, p.analyze(t, o)...)
	}
	return found
}

// only makes the pack judge a stack of the example's environment by the example's rule alone.
func (p pack) only(t *testing.T, e example) {
	t.Helper()
	p.forStack(t, cmp.Or(e.environment, "staging"))
	config := map[string]*pulumirpc.PolicyConfig{}
	for _, other := range allRules {
		if other.Name != e.rule {
			config[other.Name] = &pulumirpc.PolicyConfig{
				EnforcementLevel: pulumirpc.EnforcementLevel_DISABLED, Properties: marshal(nil),
			}
		}
	}
	if _, err := p.Configure(t.Context(), &pulumirpc.ConfigureAnalyzerRequest{PolicyConfig: config}); err != nil {
		t.Fatalf("disable other policies: %v", err)
	}
}

func (p pack) analyze(t *testing.T, o object) []*pulumirpc.AnalyzeDiagnostic {
	t.Helper()
	response, err := p.Analyze(t.Context(), &pulumirpc.AnalyzeRequest{
		Type: o.token, Name: o.name, Urn: o.urn(), Properties: marshal(o.inputs), Provider: o.rpcProvider(),
	})
	if err != nil {
		t.Fatalf("analyze %s: %v", o.name, err)
	}
	return response.GetDiagnostics()
}

func (p pack) analyzeStack(t *testing.T, objects []object, properties func(object) resource.PropertyMap,
) []*pulumirpc.AnalyzeDiagnostic {
	t.Helper()
	var all []*pulumirpc.AnalyzerResource
	for _, o := range objects {
		from := map[string]*pulumirpc.AnalyzerPropertyDependencies{}
		for input, urns := range o.from {
			from[input] = &pulumirpc.AnalyzerPropertyDependencies{Urns: urns}
		}
		all = append(all, &pulumirpc.AnalyzerResource{
			Type: o.token, Name: o.name, Urn: o.urn(), Provider: o.rpcProvider(), PropertyDependencies: from,
			Properties: marshal(properties(o)),
		})
	}
	response, err := p.AnalyzeStack(t.Context(), &pulumirpc.AnalyzeStackRequest{Resources: all})
	if err != nil {
		t.Fatalf("analyze stack: %v", err)
	}
	return response.GetDiagnostics()
}

func (o object) rpcProvider() *pulumirpc.AnalyzerProviderResource {
	return &pulumirpc.AnalyzerProviderResource{Urn: o.provider, Properties: marshal(o.settings)}
}

// paths lists every value below, the leaves and what holds them.
func paths(value resource.PropertyValue, at resource.PropertyPath) []resource.PropertyPath {
	var found []resource.PropertyPath
	below := func(key any, value resource.PropertyValue) {
		path := append(slices.Clone(at), key)
		found = append(append(found, path), paths(value, path)...)
	}
	switch {
	case value.IsObject():
		for key, element := range value.ObjectValue() {
			below(string(key), element)
		}
	case value.IsArray():
		for index, element := range value.ArrayValue() {
			below(index, element)
		}
	}
	return found
}
