package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"agentstack/local/cluster/cgroup"
	"agentstack/local/cluster/leftovers"
	"agentstack/local/cluster/network"
	"agentstack/local/cluster/supervisor"
	"agentstack/local/cluster/topology"
	"agentstack/local/images"
	"agentstack/local/machine"
	"agentstack/local/progress"
	"agentstack/local/pulumi"
)

func downCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Stop the local cloud; volumes and objects stay", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unlock, err := o.lock()
			if err != nil {
				return err
			}
			defer unlock()
			i, err := o.load()
			if err != nil {
				return err
			}
			return down(cmd.Context(), i)
		},
	}
}

func down(ctx context.Context, i topology.Instance) error {
	client := supervisor.NewClient(i.Dir)
	running, err := client.Running()
	if err != nil {
		return err
	}
	if running {
		if err := client.Stop(ctx); err != nil {
			return err
		}
	}
	return leftovers.Execute(ctx, i)
}

func resetCommand(o *options) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "reset", Short: "Stop the local cloud and delete all it keeps, volumes included", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			unlock, err := o.lock()
			if err != nil {
				return err
			}
			defer unlock()
			return reset(cmd.Context(), o, yes)
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func reset(ctx context.Context, o *options, yes bool) error {
	i, err := o.load()
	if err != nil {
		return err
	}
	fmt.Printf("This deletes %s: every database, volume, object, Pulumi state and log of the local cloud %q.\n"+
		"The cache %s stays.\n", i.Dir, i.Name, o.cache)
	if !yes {
		fmt.Print("Type the instance's name to go on: ")
		var answer string
		if _, err := fmt.Scanln(&answer); err != nil || answer != i.Name {
			return errors.New("not confirmed; nothing was deleted")
		}
	}
	if err := down(ctx, i); err != nil {
		return err
	}
	mounts, err := leftovers.MountsUnder(i.Dir)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("mounts are left, nothing was deleted: %v", mounts)
	}
	if err := leftovers.RemoveLitter(i.Dir); err != nil {
		return err
	}
	if err := os.RemoveAll(i.Dir); err != nil {
		return fmt.Errorf("delete %s: %w", i.Dir, err)
	}
	return nil
}

func nodeCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "node NAME down|up", Short: "Cut a node off the network, or join it again", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := o.load()
			if err != nil {
				return err
			}
			if args[1] != "up" && args[1] != "down" {
				return fmt.Errorf("%q is neither up nor down", args[1])
			}
			var names []string
			for _, r := range i.Regions() {
				for _, n := range r.Nodes {
					if n.Name == args[0] {
						return network.SetLink(cmd.Context(), i, n, args[1] == "up")
					}
					names = append(names, n.Name)
				}
			}
			return fmt.Errorf("no node %q; there are %v", args[0], names)
		},
	}
}

func toolCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "tool NAME", Short: "Print the path of a program of the toolchain, built first if need be",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := o.binary(cmd.Context())(args[0])
			if err == nil {
				fmt.Println(path)
			}
			return err
		},
	}
}

// toolsCommand gives tests one folder in which they find the programs they ask for.
func toolsCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "tools FOLDER NAME...", Short: "Link programs of the toolchain, and postgresql, into a folder",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("make folder: %w", err)
			}
			for _, name := range args[1:] {
				path, err := o.forTests(cmd.Context(), name)
				if err != nil {
					return err
				}
				link := filepath.Join(args[0], name)
				if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
					return fmt.Errorf("replace link: %w", err)
				}
				if err := os.Symlink(path, link); err != nil {
					return fmt.Errorf("link %s: %w", name, err)
				}
			}
			return nil
		},
	}
}

// forTests gives the path of a program of the toolchain or, where PostgreSQL is asked for, the folder that holds it.
func (o *options) forTests(ctx context.Context, name string) (string, error) {
	if name != "postgresql" {
		return o.binary(ctx)(name)
	}
	say := func(line string) { fmt.Fprintln(os.Stderr, line) }
	return images.PostgreSQLOnHost(ctx, images.Options{Cache: o.cache, Binary: o.binary(ctx), Progress: say})
}

func depsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "deps", Short: "Install the Debian packages that the tests need", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			display := progress.New(os.Stderr)
			return display.Phase("Debian packages of the tests", func(say func(string, ...any)) error {
				return machine.Install(cmd.Context(), slices.Concat(machine.Cloud, machine.Tests), say)
			})
		},
	}
}

func pulumiCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "pulumi ARG...", Short: "Run the Pulumi CLI on the local cloud", DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := o.load()
			if err != nil {
				return err
			}
			w, err := o.workspace(cmd.Context(), i)
			if err != nil {
				return err
			}
			return w.Exec(args)
		},
	}
}

func kubectlCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "kubectl ARG...", Short: "Run kubectl on the local cloud", DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := o.load()
			if err != nil {
				return err
			}
			kubectl, err := o.binary(cmd.Context())("kubectl")
			if err != nil {
				return err
			}
			env := pulumi.Environ("KUBECONFIG=" + i.Kubeconfig())
			return syscall.Exec(kubectl, append([]string{"kubectl"}, args...), env)
		},
	}
}

func superviseCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "supervise", Short: "Keep an instance's processes running; `up` starts this", Hidden: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cgroup.Enter(topology.Instance{Name: o.instance}.SystemCgroup()); err != nil {
				return err
			}
			return supervisor.Serve(cmd.Context(), o.dir())
		},
	}
}
