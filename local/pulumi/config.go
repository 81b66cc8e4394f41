package pulumi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"agentstack/local/cluster/topology"
)

// defaultRegistry is the registry that the project's file names: that of the first instance on a machine.
var defaultRegistry = topology.Instance{Octet: 200}.Registry()

// WriteConfig writes the instance's configuration file. What the project's file says wins; keys that only the
// instance's has, such as secrets set with `pulumi config set --secret`, stay.
func (w Workspace) WriteConfig() error {
	ours, err := readConfig(filepath.Join(w.Program, "Pulumi."+Stack+".yaml"))
	if err != nil {
		return err
	}
	instance, err := readConfig(w.ConfigFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	content, err := yaml.Marshal(merge(ours, instance))
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	content = []byte(strings.ReplaceAll(string(content), defaultRegistry, w.Instance.Registry()))
	if err := os.WriteFile(w.ConfigFile()+".new", content, 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.Rename(w.ConfigFile()+".new", w.ConfigFile()); err != nil {
		return fmt.Errorf("publish configuration: %w", err)
	}
	return nil
}

func readConfig(path string) (map[string]any, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(content, &values); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	return values, nil
}

// merge adds to the first map what only the second one has, at the top and in the object "config".
func merge(first, second map[string]any) map[string]any {
	for key, value := range second {
		old, ok := first[key]
		if !ok {
			first[key] = value
			continue
		}
		into, isMap := old.(map[string]any)
		from, alsoMap := value.(map[string]any)
		if key == "config" && isMap && alsoMap {
			merge(into, from)
		}
	}
	return first
}
