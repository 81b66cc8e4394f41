// Package pulumi prepares a Pulumi home of an instance's own and runs the real CLI in it: the plugins of this
// repository, a state backend in a folder, and secrets encrypted with a passphrase of the instance.
package pulumi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"agentstack/local/cluster/topology"
)

// Stack is the stack of the local cloud.
const Stack = "local"

// Workspace is Pulumi as an instance sees it.
type Workspace struct {
	Instance topology.Instance
	// Program is the folder of the Pulumi project.
	Program string
	// Binary gives the path of a program of the toolchain.
	Binary func(name string) (string, error)
}

func (w Workspace) home() home {
	dir := w.Instance.Path("pulumi")
	return home{
		dir: dir, program: w.Program, stack: Stack, binary: w.Binary, variables: []string{
			"KUBECONFIG=" + w.Instance.Kubeconfig(),
			"DOCKER_HOST=unix://" + w.Instance.DockerSocket(),
			"PULUMI_CONFIG_PASSPHRASE_FILE=" + w.passphraseFile(),
		},
	}
}

func (w Workspace) passphraseFile() string { return w.Instance.Path("pulumi", "passphrase") }

// ConfigFile is the stack's configuration: the project's own, with the instance's registry and encryption salt.
func (w Workspace) ConfigFile() string { return w.home().configFile() }

// Env is the environment in which Pulumi and kubectl act on the instance.
func (w Workspace) Env() ([]string, error) { return w.home().env() }

// Prepare makes what the CLI needs of an instance: passphrase, plugins, stack and its configuration.
func (w Workspace) Prepare(ctx context.Context) error {
	if err := w.home().prepare(); err != nil {
		return err
	}
	if err := w.ensurePassphrase(); err != nil {
		return err
	}
	if err := w.home().ensureStack(ctx); err != nil {
		return err
	}
	if _, err := w.home().run(ctx, w.Program, "stack", "select", Stack); err != nil {
		return err
	}
	return w.WriteConfig()
}

func (w Workspace) ensurePassphrase() error {
	if _, err := os.Stat(w.passphraseFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(w.passphraseFile(), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("write passphrase: %w", err)
	}
	return nil
}

// Exec replaces this process by the CLI. Commands that read the stack's configuration get the instance's file, unless
// they name another file or another stack.
func (w Workspace) Exec(args []string) error {
	if err := w.home().installPlugins(); err != nil {
		return err
	}
	if err := w.WriteConfig(); err != nil {
		return err
	}
	cmd, err := w.home().command(context.Background(), w.Program, w.withConfigFile(args)...)
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
