package provider

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/kubernetes/cluster"
	"agentstack/local/plugins/kubernetes/diff"
)

// settings is the provider's configuration.
type settings struct {
	target                      cluster.Target
	mutable                     diff.Options
	deleteUnreachable           bool // forget resources of a cluster that is gone
	suppressDeprecationWarnings bool
	patchForce                  *bool // take fields from other managers, for every resource
	client                      clientSettings
}

// clientSettings is the JSON value of kubeClientSettings.
type clientSettings struct {
	Burst   int     `json:"burst"`
	QPS     float32 `json:"qps"`
	Timeout int     `json:"timeout"` // seconds
}

func (c clientSettings) options() cluster.Options {
	return cluster.Options{QPS: c.QPS, Burst: c.Burst, Timeout: time.Duration(c.Timeout) * time.Second}
}

// switches are the boolean settings and the environment variable that each falls back to.
var switches = map[string]string{
	"deleteUnreachable":           "PULUMI_K8S_DELETE_UNREACHABLE",
	"enableConfigMapMutable":      "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
	"enableSecretMutable":         "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
	"enableServerSideApply":       "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY",
	"skipUpdateUnreachable":       "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
	"suppressDeprecationWarnings": "PULUMI_K8S_SUPPRESS_DEPRECATION_WARNINGS",
	"suppressHelmHookWarnings":    "PULUMI_K8S_SUPPRESS_HELM_HOOK_WARNINGS",
}

func enabled(values map[string]string, name string) bool {
	value, ok := values[name]
	if !ok || value == "" {
		value = os.Getenv(switches[name])
	}
	return value == "true"
}

// parseSettings reads validated configuration.
func parseSettings(values map[string]string) (settings, error) {
	result := settings{
		target: targetOf(values),
		mutable: diff.Options{
			ConfigMapMutable: enabled(values, "enableConfigMapMutable"),
			SecretMutable:    enabled(values, "enableSecretMutable"),
		},
		deleteUnreachable:           enabled(values, "deleteUnreachable"),
		suppressDeprecationWarnings: enabled(values, "suppressDeprecationWarnings"),
	}
	if force, ok := os.LookupEnv("PULUMI_K8S_ENABLE_PATCH_FORCE"); ok {
		value := force == "true"
		result.patchForce = &value
	}
	if raw := values["kubeClientSettings"]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &result.client); err != nil {
			return settings{}, fmt.Errorf("decode kubeClientSettings: %w", err)
		}
	}
	return result, nil
}

func targetOf(values map[string]string) cluster.Target {
	return cluster.Target{
		Kubeconfig: values["kubeconfig"], Context: values["context"], Cluster: values["cluster"],
		Namespace: values["namespace"],
	}
}

// refused returns what this provider cannot do as asked, every problem at once.
func refused(values map[string]string) []*pulumirpc.CheckFailure {
	var failures []*pulumirpc.CheckFailure
	fail := func(property, reason string) {
		failures = append(failures, &pulumirpc.CheckFailure{Property: property, Reason: reason})
	}
	names := make([]string, 0, len(switches))
	for name := range switches {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if value := values[name]; value != "" {
			if _, err := strconv.ParseBool(value); err != nil {
				fail(name, fmt.Sprintf("%q is given, want true or false", value))
			}
		}
	}
	const official = ": not supported by the local kubernetes provider, which only applies server-side to a " +
		"reachable cluster"
	if values["renderYamlToDirectory"] != "" {
		fail("renderYamlToDirectory", values["renderYamlToDirectory"]+official)
	}
	if values["enableServerSideApply"] == "false" {
		fail("enableServerSideApply", "false"+official)
	}
	if enabled(values, "skipUpdateUnreachable") {
		fail("skipUpdateUnreachable", "true"+official)
	}
	return failures
}

// textValues flattens provider inputs to text; values that are not strings arrive as JSON.
func textValues(properties resource.PropertyMap) (values map[string]string, unknown []string, err error) {
	values = map[string]string{}
	for key, value := range properties {
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		switch {
		case value.IsComputed() || value.IsOutput():
			unknown = append(unknown, string(key))
		case value.IsString():
			values[string(key)] = value.StringValue()
		case value.IsNull():
		default:
			text, err := json.Marshal(value.Mappable())
			if err != nil {
				return nil, nil, fmt.Errorf("encode %s: %w", key, err)
			}
			values[string(key)] = string(text)
		}
	}
	slices.Sort(unknown)
	return values, unknown, nil
}
