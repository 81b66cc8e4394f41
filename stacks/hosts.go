package stacks

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"agentstack/components/multiregion/dns"
)

// hosts are the names that clients ask for.
func (c Config) hosts() []string {
	if c.AWS == nil {
		return []string{c.Edge.Host}
	}
	hosts := []string{c.AWS.Domain}
	for _, region := range c.Regions {
		hosts = append(hosts, dns.RegionName(region.Name, c.AWS.Domain))
	}
	return hosts
}

// validateHosts reports names that another stack has, too: the two would take each other's requests. It knows the
// stacks by their files in the project's folder, in which Pulumi runs the program.
func (c Config) validateHosts(folder, stack string) field.ErrorList {
	files, err := filepath.Glob(filepath.Join(folder, "Pulumi.*.yaml"))
	if err != nil {
		return field.ErrorList{field.InternalError(nil, fmt.Errorf("list stack files: %w", err))}
	}
	path := field.NewPath("edge", "host")
	if c.AWS != nil {
		path = field.NewPath("aws", "domain")
	}
	problems := field.ErrorList{}
	for _, file := range files {
		if filepath.Base(file) == "Pulumi."+stack+".yaml" {
			continue
		}
		other, err := readStackFile(file)
		if err != nil {
			problems = append(problems, field.InternalError(path, err))
			continue
		}
		for _, host := range c.hosts() {
			if host != "" && slices.Contains(other.hosts(), host) {
				problems = append(problems, field.Invalid(path, host,
					"is a name of another stack, in "+filepath.Base(file)))
			}
		}
	}
	return problems
}

// readStackFile returns what a stack file says about the edge. What is wrong with it is for its own stack to report.
func readStackFile(file string) (Config, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("read stack file: %w", err)
	}
	var document struct {
		Config map[string]json.RawMessage `json:"config"`
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		return Config{}, fmt.Errorf("parse %s: %w", filepath.Base(file), err)
	}
	read, _ := decode(document.Config[configNamespace+":"+configKey])
	return read, nil
}
