// Command localcloud makes this machine into a small cloud, and runs the program of this repository on it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "localcloud: %v\n", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := &options{}
	root := &cobra.Command{Use: "localcloud", Short: "A local cloud from public packages, and this program on it",
		SilenceUsage: true, SilenceErrors: true}
	flags := root.PersistentFlags()
	flags.StringVar(&o.instance, "instance", env("AGENTSTACK_INSTANCE", "dev"), "which local cloud")
	flags.StringVar(&o.state, "state", env("AGENTSTACK_STATE", "/var/lib/agentstack"), "folder of all instances")
	flags.StringVar(&o.cache, "cache", env("AGENTSTACK_CACHE", "/var/cache/agentstack"), "folder of what is built once")
	flags.StringVar(&o.source, "source", env("AGENTSTACK_SOURCE", "."), "folder of the repository")
	root.AddCommand(upCommand(o), downCommand(o), resetCommand(o), statusCommand(o), nodeCommand(o),
		toolCommand(o), toolsCommand(o), depsCommand(), pulumiCommand(o), previewCommand(o), kubectlCommand(o),
		superviseCommand(o))
	return root
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
