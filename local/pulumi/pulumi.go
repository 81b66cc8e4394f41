// Package pulumi prepares a Pulumi home of an instance's own and runs the real CLI in it: the plugins of this
// repository, a state backend in a folder, and secrets encrypted with a passphrase of the instance.
package pulumi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"agentstack/local/cluster/topology"
)

// Stack is the stack of the local cloud.
const Stack = "local"

// plugins are the provider plugins at the versions that the program's SDKs ask for.
var plugins = map[string]string{"kubernetes": "4.23.0", "docker": "4.10.0"}

// Workspace is Pulumi as an instance sees it.
type Workspace struct {
	Instance topology.Instance
	// Program is the folder of the Pulumi project.
	Program string
	// Binary gives the path of a program of the toolchain.
	Binary func(name string) (string, error)
}

func (w Workspace) path(elem ...string) string {
	return w.Instance.Path(append([]string{"pulumi"}, elem...)...)
}

// ConfigFile is the stack's configuration: the project's own, with the instance's registry and encryption salt.
func (w Workspace) ConfigFile() string { return w.path("project", "Pulumi."+Stack+".yaml") }

// Env is the environment in which Pulumi and kubectl act on the instance.
func (w Workspace) Env() ([]string, error) {
	pulumi, err := w.Binary("pulumi")
	if err != nil {
		return nil, err
	}
	host, err := w.Binary("pulumi-language-go")
	if err != nil {
		return nil, err
	}
	path := strings.Join([]string{filepath.Dir(pulumi), filepath.Dir(host), os.Getenv("PATH")}, ":")
	return Environ(
		"PATH="+path,
		"KUBECONFIG="+w.Instance.Kubeconfig(),
		"DOCKER_HOST=unix://"+w.Instance.DockerSocket(),
		"PULUMI_HOME="+w.path("home"),
		"PULUMI_BACKEND_URL=file://"+w.path("state"),
		"PULUMI_CONFIG_PASSPHRASE_FILE="+w.path("passphrase"),
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
	), nil
}

// Environ is this process's environment with other values for some variables, each once: of two values, a program may
// see the first.
func Environ(assignments ...string) []string {
	return (&exec.Cmd{Env: append(os.Environ(), assignments...)}).Environ()
}

// Prepare makes what the CLI needs of an instance: passphrase, plugins, stack and its configuration.
func (w Workspace) Prepare(ctx context.Context) error {
	for _, dir := range []string{w.path("home"), w.path("state"), w.path("project")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make pulumi folder: %w", err)
		}
	}
	if err := w.ensurePassphrase(); err != nil {
		return err
	}
	for name, version := range plugins {
		if err := w.installPlugin(name, version); err != nil {
			return err
		}
	}
	if err := w.ensureStack(ctx); err != nil {
		return err
	}
	return w.WriteConfig()
}

func (w Workspace) ensurePassphrase() error {
	if _, err := os.Stat(w.path("passphrase")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(w.path("passphrase"), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("write passphrase: %w", err)
	}
	return nil
}

// installPlugin puts a link where the CLI looks for the plugin: what the toolchain built last is what runs.
func (w Workspace) installPlugin(name, version string) error {
	binary, err := w.Binary("pulumi-resource-" + name)
	if err != nil {
		return err
	}
	dir := w.path("home", "plugins", "resource-"+name+"-v"+version)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make plugin folder: %w", err)
	}
	link := filepath.Join(dir, filepath.Base(binary))
	if current, err := os.Readlink(link); err == nil && current == binary {
		return nil
	}
	if err := os.Symlink(binary, link+".new"); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("link plugin: %w", err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		return fmt.Errorf("publish plugin: %w", err)
	}
	return nil
}

// ensureStack makes the stack in a folder of the instance, with a copy of Pulumi.yaml: the encryption salt that the
// CLI writes then stays out of the work tree.
func (w Workspace) ensureStack(ctx context.Context) error {
	project, err := os.ReadFile(filepath.Join(w.Program, "Pulumi.yaml"))
	if err != nil {
		return fmt.Errorf("read project: %w", err)
	}
	if err := os.WriteFile(w.path("project", "Pulumi.yaml"), project, 0o600); err != nil {
		return fmt.Errorf("copy project: %w", err)
	}
	output, err := w.run(ctx, w.path("project"), "stack", "ls", "--json")
	if err != nil {
		return err
	}
	var stacks []struct{ Name string }
	if err := json.Unmarshal([]byte(output), &stacks); err != nil {
		return fmt.Errorf("parse stack list: %w", err)
	}
	for _, s := range stacks {
		if s.Name == Stack || strings.HasSuffix(s.Name, "/"+Stack) {
			return w.selectStack(ctx)
		}
	}
	if _, err := w.run(ctx, w.path("project"), "stack", "init", Stack); err != nil {
		return err
	}
	return w.selectStack(ctx)
}

func (w Workspace) selectStack(ctx context.Context) error {
	_, err := w.run(ctx, w.Program, "stack", "select", Stack)
	return err
}

// run runs the CLI in a folder and returns what it printed on standard output.
func (w Workspace) run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd, err := w.command(ctx, dir, append(args, "--non-interactive")...)
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run pulumi %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

func (w Workspace) command(ctx context.Context, dir string, args ...string) (*exec.Cmd, error) {
	env, err := w.Env()
	if err != nil {
		return nil, err
	}
	binary, err := w.Binary("pulumi")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = dir, env
	return cmd, nil
}

// Exec replaces this process by the CLI. Commands that read the stack's configuration get the instance's file, unless
// they name another file or another stack.
func (w Workspace) Exec(args []string) error {
	if err := w.WriteConfig(); err != nil {
		return err
	}
	cmd, err := w.command(context.Background(), w.Program, w.withConfigFile(args)...)
	if err != nil {
		return err
	}
	return syscall.Exec(cmd.Path, cmd.Args, cmd.Env)
}

func (w Workspace) withConfigFile(args []string) []string {
	reading := []string{"config", "destroy", "import", "preview", "refresh", "up", "update", "watch"}
	if len(args) == 0 || !slices.Contains(reading, args[0]) {
		return args
	}
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		if name == "--config-file" || (name == "--stack" || name == "-s") && value != Stack {
			return args
		}
	}
	return append(args, "--config-file", w.ConfigFile())
}
