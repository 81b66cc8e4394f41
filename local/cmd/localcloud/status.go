package main

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"agentstack/local/cluster/action"
	"agentstack/local/cluster/supervisor"
)

func statusCommand(o *options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Show processes, nodes and pods; fails while a process is down", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := o.load()
			if err != nil {
				return err
			}
			client := supervisor.NewClient(i.Dir)
			running, err := client.Running()
			if err != nil {
				return err
			}
			if !running {
				return fmt.Errorf("the local cloud %q is down; `make up` starts it", i.Name)
			}
			states, err := client.States(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(os.Stdout).Encode(states)
			}
			down := printProcesses(states)
			c := action.Context{Context: cmd.Context(), Instance: i, Binary: o.binary(cmd.Context())}
			for _, r := range i.Regions() {
				output, err := c.Kubectl(r, "", "get", "nodes,pods", "-A", "-o", "wide")
				if err != nil {
					return err
				}
				fmt.Printf("\nregion %s, %s\n%s", r.Name, r.Server(), output)
			}
			if down > 0 {
				return fmt.Errorf("%d processes are down", down)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the processes alone, as JSON")
	return c
}

func printProcesses(states []supervisor.State) (down int) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "PROCESS\tPID\tUP\tRESTARTS\tLAST EXIT")
	for _, s := range states {
		pid, up := "-", "down"
		if s.PID != 0 {
			pid, up = fmt.Sprint(s.PID), time.Since(s.Started).Round(time.Second).String()
		} else {
			down++
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", s.Name, pid, up, s.Restarts, s.LastExit)
	}
	_ = table.Flush() // standard output, as all of this
	return down
}
