package toolchain

import (
	"fmt"
	"slices"
	"strings"
)

// Purpose is what a tool is needed for.
type Purpose int

// The purposes: the cluster itself, Pulumi on top of it, or only checks and tests of the source.
const (
	Cluster Purpose = iota
	Deploy
	Check
)

// Tool is one program, or one family of programs, that is built from one Go module.
type Tool struct {
	// Name is the tool's folder.
	Name string
	// Purpose says who needs it.
	Purpose Purpose
	// Dir is the module's folder, relative to the local module, and Package what is built in it.
	Dir, Package string
	// LDFlags go to the linker, beside -s -w.
	LDFlags string
	// Tags are build tags.
	Tags []string
	// Binaries are the names that the tool answers to. Links are made where the build gives the file another name.
	Binaries []string
	// Module and Assets name files of a module that are kept beside the binaries, in the folder assets. An asset may be
	// a pattern of filepath.Match.
	Module string
	Assets []string
	// Blank are files that Module embeds but does not ship, such as a web interface; the build takes them as empty.
	Blank []string
	// Sources are more folders, relative to the local module, whose content the binary depends on.
	Sources []string
}

const (
	versionPkg    = "k8s.io/component-base/version"
	pulumiVersion = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
	clientVersion = "k8s.io/client-go/pkg/version.gitVersion"
	promVersion   = "github.com/prometheus/common/version.Version"
	cnpgVersion   = "github.com/cloudnative-pg/cloudnative-pg/pkg/versions.buildVersion"
	envoyGateway  = "github.com/envoyproxy/gateway"
	// gatewayCRDs is where its module has the definitions that its chart installs: Gateway API's and its own.
	gatewayCRDs = "charts/gateway-helm/charts/crds/crds/"
)

// Tools are all tools, in the order in which they are best built: what everything waits for comes first.
var Tools = []Tool{
	pinned("etcd", Cluster, "", "etcd"),
	{
		Name: "kubernetes", Dir: "toolchain/kubernetes", Package: ".",
		LDFlags: setVar(versionPkg, "gitVersion=v1.34.4", "gitMajor=1", "gitMinor=34"),
		Binaries: []string{
			"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
		},
	},
	pinned("cni", Cluster, "", "bridge", "host-local", "loopback", "portmap"),
	pinned("registry", Cluster, "", "registry"),
	{Name: "coredns", Dir: "toolchain/coredns", Package: ".", Binaries: []string{"coredns"}},
	{
		Name: "cloudnative-pg", Dir: "toolchain/cloudnative-pg", Package: "tool", Binaries: []string{"manager"},
		LDFlags: "-X " + cnpgVersion + "=1.28.0",
		Module:  "github.com/cloudnative-pg/cloudnative-pg", Assets: []string{"releases/cnpg-1.28.0.yaml"},
	},
	pinned("local-path-provisioner", Cluster, "", "local-path-provisioner"),
	pinned("versitygw", Cluster, "-X main.Version=v1.8.0", "versitygw"),
	{
		Name: "prometheus", Dir: "toolchain/prometheus", Package: "tool", Binaries: []string{"prometheus", "promtool"},
		LDFlags: "-X " + promVersion + "=3.16.0",
		// The discoveries of the many clouds bring their SDKs.
		Tags: []string{"remove_all_sd", "enable_kubernetes_sd"},
	},
	{
		Name: "alertmanager", Dir: "toolchain/alertmanager", Package: "tool",
		Binaries: []string{"alertmanager", "amtool"},
		LDFlags:  "-X " + promVersion + "=0.34.2",
		Module:   "github.com/prometheus/alertmanager", Blank: []string{"ui/app/dist/index.html"},
	},
	pinned("node_exporter", Cluster, "-X "+promVersion+"=1.12.1", "node_exporter"),
	pinned("kube-state-metrics", Cluster, "-X "+promVersion+"=v2.13.0", "kube-state-metrics"),
	{
		Name: "netpol", Dir: ".", Package: "./cmd/netpol", Binaries: []string{"netpol"},
		Sources: []string{"netpol", "cmd/netpol"},
	},
	pinned("metrics-server", Cluster, "-X "+clientVersion+"=v0.9.0", "metrics-server"),
	pinned("prometheus-adapter", Cluster, "", "prometheus-adapter"),
	{
		Name: "vpa-recommender", Dir: "toolchain/vpa-recommender", Package: "tool",
		Binaries: []string{"vpa-recommender"}, Module: "k8s.io/autoscaler/vertical-pod-autoscaler",
		Assets: []string{"deploy/vpa-v1-crd-gen.yaml"},
	},
	{Name: "otelcol-contrib", Dir: "toolchain/otelcol-contrib", Package: ".", Binaries: []string{"otelcol-contrib"}},
	pinned("loki", Cluster, "-X github.com/grafana/loki/v3/pkg/util/build.Version=3.7.8", "loki"),
	{
		Name: "envoy-gateway", Dir: "toolchain/envoy-gateway", Package: "tool", Binaries: []string{"envoy-gateway"},
		LDFlags: "-X " + envoyGateway + "/internal/cmd/version.envoyGatewayVersion=v1.9.1",
		Module:  envoyGateway,
		Assets:  []string{gatewayCRDs + "gatewayapi-crds.yaml", gatewayCRDs + "generated/*.yaml"},
	},
	pinned("pulumi", Deploy, "-X "+pulumiVersion+"=3.259.0", "pulumi"),
	pinned("pulumi-language-go", Deploy, "", "pulumi-language-go"),
	plugin("kubernetes"),
	plugin("docker"),
	plugin("aws"),
	pinned("golangci-lint", Check, "", "golangci-lint"),
	pinned("actionlint", Check, "", "actionlint"),
	pinned("kube-score", Check, "", "kube-score"),
	pinned("cosign", Check, "", "cosign"),
}

// For returns the tools of a purpose.
func For(purpose Purpose) []Tool {
	return slices.DeleteFunc(slices.Clone(Tools), func(t Tool) bool { return t.Purpose != purpose })
}

func pinned(name string, purpose Purpose, ldflags string, binaries ...string) Tool {
	return Tool{
		Name: name, Purpose: purpose, Dir: "toolchain/" + name, Package: "tool", LDFlags: ldflags, Binaries: binaries,
	}
}

func plugin(name string) Tool {
	binary := "pulumi-resource-" + name
	return Tool{
		Name: binary, Purpose: Deploy, Dir: ".", Package: "./plugins/" + name + "/cmd/" + binary,
		Binaries: []string{binary},
		Sources:  []string{"plugins/" + name, "plugins/property"},
	}
}

func setVar(pkg string, assignments ...string) string {
	flags := make([]string, len(assignments))
	for i, a := range assignments {
		flags[i] = "-X " + pkg + "." + a
	}
	return strings.Join(flags, " ")
}

// Find returns the tool that provides a binary.
func Find(binary string) (Tool, error) {
	for _, t := range Tools {
		if slices.Contains(t.Binaries, binary) {
			return t, nil
		}
	}
	return Tool{}, fmt.Errorf("find tool: no tool provides %q", binary)
}
