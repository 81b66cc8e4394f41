package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"agentstack/internal/pulumitest"
	"agentstack/stacks"
)

const (
	configKey = "agentstack:config"
)

var (
	// secrets are valid values of those without which the program does not start.
	secrets = map[string]string{
		"agentstack:providerKeys":    `{"openai": "placeholder", "anthropic": "placeholder"}`,
		"agentstack:alertWebhookUrl": "https://placeholder.example.com",
	}
	regionNames = []string{
		"us-east-1", "eu-west-1", "us-east-2", "us-west-2", "eu-central-1",
		"eu-north-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "sa-east-1",
	}
)

// resource is what the flat program registers.
type resource = pulumitest.Resource

// withRegions returns the configuration in a file with another number of regions, each of which is made as the first.
func withRegions(file string, count int) (map[string]any, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var stack struct {
		Config map[string]map[string]any `json:"config"`
	}
	if err := yaml.Unmarshal(content, &stack); err != nil {
		return nil, fmt.Errorf("parse configuration: %w", err)
	}
	config := stack.Config[configKey]
	configured, _ := config["regions"].([]any)
	if len(configured) == 0 {
		return nil, fmt.Errorf("%s names no regions", file)
	}
	var regions []any
	for i, name := range regionNames[:count] {
		region, err := copied(configured[0])
		if err != nil {
			return nil, err
		}
		region["name"] = name
		if cluster, made := region["eks"].(map[string]any); made {
			cluster["cidr"] = fmt.Sprintf("10.%d.0.0/16", 20+i)
		}
		regions = append(regions, region)
	}
	config["regions"], config["primaryRegion"] = regions, regionNames[0]
	return map[string]any{configKey: config}, nil
}

func copied(object any) (map[string]any, error) {
	encoded, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode region: %w", err)
	}
	var result map[string]any
	if err := json.Unmarshal(encoded, &result); err != nil {
		return nil, fmt.Errorf("decode region: %w", err)
	}
	return result, nil
}

// register returns what the program registers in a preview, without its components.
func register(config map[string]any) ([]resource, error) {
	encoded, err := json.Marshal(config[configKey])
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	stack := pulumitest.Config{Values: maps.Clone(secrets), Secret: slices.Collect(maps.Keys(secrets))}
	stack.Values[configKey] = string(encoded)
	recording, err := pulumitest.Run(stacks.Deploy, true, stack)
	if err != nil {
		return nil, fmt.Errorf("record program: %w", err)
	}
	custom := recording.Only(func(r resource) bool { return !strings.HasPrefix(r.Type, "agentstack:") })
	return custom.Resources, nil
}
