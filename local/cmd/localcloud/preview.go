package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"agentstack/local/progress"
	"agentstack/local/pulumi"
	"agentstack/local/toolchain"
)

// previewCommand needs no instance and no tool of the cluster.
func previewCommand(o *options) *cobra.Command {
	var pack bool
	c := &cobra.Command{
		Use: "preview STACK [--policy-pack] [-- ARG...]", Args: cobra.MinimumNArgs(1),
		Short: "Run `pulumi preview` of a stack offline, without cluster, account and secrets",
		RunE: func(cmd *cobra.Command, args []string) error {
			program, err := filepath.Abs(o.source)
			if err != nil {
				return fmt.Errorf("find program: %w", err)
			}
			p := pulumi.Preview{Program: program, Stack: args[0], Args: args[1:], Binary: o.binary(cmd.Context())}
			if pack {
				p.Pack = filepath.Join(program, "policy")
			}
			r := &run{options: o, display: progress.New(os.Stderr), ctx: cmd.Context()}
			if err := r.phase("toolchain of Pulumi", r.build(toolchain.Deploy)); err != nil {
				return err
			}
			return r.phase("preview of "+p.Stack, func(func(string, ...any)) error {
				return p.Run(cmd.Context(), os.Stdout)
			})
		},
	}
	c.Flags().BoolVar(&pack, "policy-pack", false, "judge the preview by the project's policy pack")
	return c
}
