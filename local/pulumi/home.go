package pulumi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// plugins are the plugins at the versions that the program's SDKs and the CLI ask for, by kind and name.
var plugins = map[string]string{
	"resource-kubernetes": "4.23.0",
	"resource-docker":     "4.10.0",
	"resource-aws":        "6.83.0",
	"language-go":         "3.60.0",
}

// home is a folder of the Pulumi CLI's own: plugins, state, and a copy of the project in which the CLI may write.
type home struct {
	dir     string
	program string
	stack   string
	binary  func(name string) (string, error)
	// variables are what its environment has beside those of every home.
	variables []string
}

func (h home) path(elem ...string) string { return filepath.Join(append([]string{h.dir}, elem...)...) }

// configFile is the stack's configuration in the copy of the project.
func (h home) configFile() string { return h.path("project", "Pulumi."+h.stack+".yaml") }

// env is the environment in which the CLI uses the home.
func (h home) env() ([]string, error) {
	pulumi, err := h.binary("pulumi")
	if err != nil {
		return nil, err
	}
	return Environ(append([]string{
		"PATH=" + filepath.Dir(pulumi) + ":" + os.Getenv("PATH"),
		"PULUMI_HOME=" + h.path("home"),
		"PULUMI_BACKEND_URL=file://" + h.path("state"),
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
	}, h.variables...)...), nil
}

// Environ is this process's environment with other values for some variables, each once: of two values, a program may
// see the first.
func Environ(assignments ...string) []string {
	return (&exec.Cmd{Env: append(os.Environ(), assignments...)}).Environ()
}

// prepare makes the folders, the plugins and the copy of the project.
func (h home) prepare() error {
	for _, dir := range []string{h.path("home"), h.path("state"), h.path("project")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make pulumi folder: %w", err)
		}
	}
	if err := h.installPlugins(); err != nil {
		return err
	}
	project, err := os.ReadFile(filepath.Join(h.program, "Pulumi.yaml"))
	if err != nil {
		return fmt.Errorf("read project: %w", err)
	}
	if err := os.WriteFile(h.path("project", "Pulumi.yaml"), project, 0o600); err != nil {
		return fmt.Errorf("copy project: %w", err)
	}
	return nil
}

func (h home) installPlugins() error {
	for name, version := range plugins {
		if err := h.installPlugin(name, version); err != nil {
			return err
		}
	}
	return nil
}

// installPlugin puts a link where the CLI looks for the plugin: what the toolchain built last is what runs.
func (h home) installPlugin(name, version string) error {
	binary, err := h.binary("pulumi-" + name)
	if err != nil {
		return err
	}
	dir := h.path("home", "plugins", name+"-v"+version)
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

// ensureStack makes the stack in the copy of the project: the encryption salt that the CLI writes then stays out of the
// work tree.
func (h home) ensureStack(ctx context.Context) error {
	output, err := h.run(ctx, h.path("project"), "stack", "ls", "--json")
	if err != nil {
		return err
	}
	var stacks []struct{ Name string }
	if err := json.Unmarshal([]byte(output), &stacks); err != nil {
		return fmt.Errorf("parse stack list: %w", err)
	}
	for _, s := range stacks {
		if s.Name == h.stack || strings.HasSuffix(s.Name, "/"+h.stack) {
			return nil
		}
	}
	_, err = h.run(ctx, h.path("project"), "stack", "init", h.stack)
	return err
}

// run runs the CLI in a folder and returns what it printed on standard output.
func (h home) run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd, err := h.command(ctx, dir, append(args, "--non-interactive")...)
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

func (h home) command(ctx context.Context, dir string, args ...string) (*exec.Cmd, error) {
	env, err := h.env()
	if err != nil {
		return nil, err
	}
	binary, err := h.binary("pulumi")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = dir, env
	return cmd, nil
}
