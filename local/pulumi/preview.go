package pulumi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"sigs.k8s.io/yaml"
)

// Preview is `pulumi preview` of a stack by the real CLI and engine, without anything that the stack needs: no cluster,
// no account, no Docker daemon, no secrets but placeholders. It begins with an empty state.
type Preview struct {
	// Program is the folder of the Pulumi project, Stack the stack whose configuration it has.
	Program, Stack string
	// Pack is the folder of a policy pack in Go that judges the preview; none if it is empty.
	Pack string
	// Args are more arguments of `pulumi preview`. With any, Pulumi's own output is shown instead of the tree.
	Args []string
	// Binary gives the path of a program of the toolchain.
	Binary func(name string) (string, error)
}

const (
	alertWebhookKey = "agentstack:alertWebhookUrl"
	providerKeysKey = "agentstack:providerKeys"
	// placeholder is valid as a key of any use, the longest being of 32 characters, and as the URL of a webhook.
	placeholder = "https://placeholder.example.com/webhook"
)

// Run previews in a folder that it deletes at the end, and writes the tree of resources, Pulumi's diagnostics and the
// number of resources. The error of a preview that Pulumi refuses holds its exit status.
func (p Preview) Run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "agentstack-preview-")
	if err != nil {
		return fmt.Errorf("make preview folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	h := p.home(dir)
	if err := h.prepare(); err != nil {
		return err
	}
	secrets, err := p.writeConfig(h)
	if err != nil {
		return err
	}
	if err := h.ensureStack(ctx); err != nil {
		return err
	}
	set := []string{"config", "set-all", "--stack", p.Stack}
	for key, value := range secrets {
		set = append(set, "--secret", key+"="+value)
	}
	if _, err := h.run(ctx, h.path("project"), set...); err != nil {
		return err
	}
	args := []string{"preview", "--stack", p.Stack, "--config-file", h.configFile(), "--non-interactive"}
	if p.Pack != "" {
		pack, err := p.buildPack(ctx, dir)
		if err != nil {
			return err
		}
		args = append(args, "--policy-pack", pack)
	}
	cmd, err := h.command(ctx, p.Program, append(args, p.Args...)...)
	if err != nil {
		return err
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	if len(p.Args) > 0 {
		cmd.Stdout, cmd.Stderr = out, os.Stderr
		return previewed(cmd.Run())
	}
	return p.tree(cmd, h.path("events"), out)
}

func (p Preview) home(dir string) home {
	return home{
		dir: dir, program: p.Program, stack: p.Stack, binary: p.Binary, variables: []string{
			"PULUMI_CONFIG_PASSPHRASE=" + rand.Text(),
			"PULUMI_DEBUG_COMMANDS=true", // lets the CLI write its events to a file
			"AWS_ACCESS_KEY_ID=placeholder", "AWS_SECRET_ACCESS_KEY=placeholder",
			"KUBECONFIG=" + filepath.Join(dir, "no-kubeconfig"), "KUBERNETES_SERVICE_HOST=",
			"DOCKER_HOST=unix://" + filepath.Join(dir, "no-docker.sock"),
		},
	}
}

// writeConfig copies the stack's configuration without its secrets. It returns placeholders for them, and for those
// without which the program does not start. Nobody can open sealed values here: inside of an object they become
// placeholders.
func (p Preview) writeConfig(h home) (secrets map[string]string, err error) {
	values, err := readConfig(filepath.Join(p.Program, "Pulumi."+p.Stack+".yaml"))
	if err != nil {
		return nil, err
	}
	config, ok := values["config"].(map[string]any)
	if !ok {
		config = map[string]any{}
	}
	secrets = map[string]string{alertWebhookKey: placeholder}
	for key, value := range config {
		if isSealed(value) {
			secrets[key] = placeholder
		}
	}
	if keys := providerKeys(config["agentstack:config"]); len(keys) > 0 {
		encoded, err := json.Marshal(keys)
		if err != nil {
			return nil, fmt.Errorf("encode placeholders: %w", err)
		}
		secrets[providerKeysKey] = string(encoded)
	}
	for key := range secrets {
		delete(config, key)
	}
	content, err := yaml.Marshal(map[string]any{"config": unsealed(config)})
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	if err := os.WriteFile(h.configFile(), content, 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return secrets, nil
}

// providerKeys returns a placeholder for each of the model servers in a stack's configuration.
func providerKeys(config any) map[string]string {
	object, _ := config.(map[string]any)
	models, _ := object["models"].(map[string]any)
	providers, _ := models["providers"].([]any)
	keys := map[string]string{}
	for _, configured := range providers {
		provider, _ := configured.(map[string]any)
		if name, isText := provider["name"].(string); isText {
			keys[name] = placeholder
		}
	}
	return keys
}

func isSealed(value any) bool {
	object, isObject := value.(map[string]any)
	_, sealed := object["secure"]
	return isObject && sealed && len(object) == 1
}

func unsealed(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if isSealed(value) {
			return placeholder
		}
		for key, element := range value {
			value[key] = unsealed(element)
		}
	case []any:
		for i, element := range value {
			value[i] = unsealed(element)
		}
	}
	return value
}

// buildPack builds the policy pack and returns the path of its program: the language host of the toolchain cannot run
// the pack's folder.
func (p Preview) buildPack(ctx context.Context, dir string) (string, error) {
	pack := filepath.Join(dir, "pack", "pulumi-analyzer-policy")
	build := exec.CommandContext(ctx, "go", "build", "-o", pack, ".")
	build.Dir = p.Pack
	build.Env = Environ("GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build policy pack: %w\n%s", err, bytes.TrimSpace(output))
	}
	about, err := os.ReadFile(filepath.Join(p.Pack, "PulumiPolicy.yaml"))
	if err != nil {
		return "", fmt.Errorf("read policy pack: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pack", "PulumiPolicy.yaml"), about, 0o600); err != nil {
		return "", fmt.Errorf("copy policy pack: %w", err)
	}
	return pack, nil
}

// tree runs the preview, then writes its resources and what Pulumi said of them.
func (p Preview) tree(cmd *exec.Cmd, events string, out io.Writer) error {
	cmd.Args = append(cmd.Args, "--color=never", "--event-log", events)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	runErr := cmd.Run()
	all := output.String()
	tail := follow(&output, func(string) {})
	if runErr != nil && tail == "" {
		tail = all
	}
	resources, err := readEvents(events)
	if err != nil {
		return errors.Join(previewed(runErr), err)
	}
	if _, err := fmt.Fprintf(out, "%s\n%s\n", render(resources), strings.TrimSpace(tail)); err != nil {
		return fmt.Errorf("write preview: %w", err)
	}
	return previewed(runErr)
}

func previewed(err error) error {
	if err != nil {
		return fmt.Errorf("run pulumi preview: %w", err)
	}
	return nil
}
