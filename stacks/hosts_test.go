package stacks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"agentstack/internal/pulumitest"
)

// TestStackFilesShareNoHost looks at the stacks that there are.
func TestStackFilesShareNoHost(t *testing.T) {
	for _, stack := range environments {
		config, err := readStackFile("../Pulumi." + stack + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if len(config.hosts()) == 0 || config.hosts()[0] == "" {
			t.Errorf("%s has no host", stack)
		}
		for _, problem := range config.validateHosts("..", stack) {
			t.Error(problem)
		}
	}
}

func TestHostOfAnotherStackIsRefused(t *testing.T) {
	const (
		host   = "config: {agentstack:config: {edge: {host: api.agentstack.test}}}"
		domain = "config: {agentstack:config: {regions: [{name: us-east-1}], aws: {domain: api.staging.example.com}}}"
		region = "config: {agentstack:config: {edge: {host: us-east-1.api.staging.example.com}}}"
	)
	tests := map[string]struct {
		stack, file, content string
		want                 string // "" for no problem
	}{
		"another stack": {
			"local", "Pulumi.other.yaml", host,
			`edge.host: Invalid value: "api.agentstack.test": is a name of another stack, in Pulumi.other.yaml`,
		},
		"the stack itself": {"local", "Pulumi." + pulumitest.Stack + ".yaml", host, ""},
		"another domain":   {"local", "Pulumi.other.yaml", domain, ""},
		"the same domain": {
			"staging", "Pulumi.other.yaml", strings.Replace(domain, "us-east-1", "us-west-1", 1),
			`aws.domain: Invalid value: "api.staging.example.com": is a name of another stack, in Pulumi.other.yaml`,
		},
		"name of a region": {
			"staging", "Pulumi.other.yaml", region,
			`aws.domain: Invalid value: "us-east-1.api.staging.example.com": is a name of another stack`,
		},
		"a stack without configuration": {"local", "Pulumi.other.yaml", "config: {}", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := stackConfig(t, test.stack)
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, test.file), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Chdir(folder)
			got := problems(t, config)
			if test.want == "" && got == nil {
				return
			}
			if len(got) != 1 || test.want == "" || !strings.HasPrefix(got[0], test.want) {
				t.Errorf("problems %q, want only %q", got, test.want)
			}
		})
	}
}
