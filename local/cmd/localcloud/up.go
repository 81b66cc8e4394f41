package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"agentstack/local/addons"
	"agentstack/local/cluster/action"
	"agentstack/local/cluster/controlplane"
	"agentstack/local/cluster/docker"
	"agentstack/local/cluster/leftovers"
	"agentstack/local/cluster/netpol"
	"agentstack/local/cluster/network"
	"agentstack/local/cluster/node"
	"agentstack/local/cluster/pki"
	"agentstack/local/cluster/registry"
	"agentstack/local/cluster/supervisor"
	"agentstack/local/cluster/topology"
	"agentstack/local/images"
	"agentstack/local/machine"
	"agentstack/local/progress"
	"agentstack/local/toolchain"
)

func upCommand(o *options) *cobra.Command {
	var regions []string
	var deploy bool
	c := &cobra.Command{
		Use: "up", Short: "Make the local cloud, or go on where an earlier run ended, and run `pulumi up` on it",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return up(cmd.Context(), o, regions, deploy)
		},
	}
	c.Flags().StringSliceVar(&regions, "regions", []string{"local-1"}, "regions, each a control plane and three nodes")
	c.Flags().BoolVar(&deploy, "deploy", true, "run `pulumi up` at the end")
	return c
}

// run is one `up`.
type run struct {
	*options
	display *progress.Display
	ctx     context.Context
	act     action.Context
}

func up(ctx context.Context, o *options, regions []string, deploy bool) error {
	r := &run{options: o, display: progress.New(os.Stderr), ctx: ctx}
	if err := machine.Check(o.state, o.cache); err != nil {
		return err
	}
	unlock, err := o.lock()
	if err != nil {
		return err
	}
	defer unlock()
	err = r.phase("Debian packages", func(say func(string, ...any)) error {
		return machine.Install(ctx, machine.Cloud, say)
	})
	if err != nil {
		return err
	}
	inUse := func(cidr string) (bool, error) { return network.InUse(ctx, cidr) }
	instance, err := topology.LoadOrCreate(o.state, o.instance, regions, inUse)
	if err != nil {
		return err
	}
	r.act = action.Context{
		Context: ctx, Instance: instance, Supervisor: supervisor.NewClient(instance.Dir), Binary: o.binary(ctx),
	}
	if err := r.cloud(); err != nil {
		return err
	}
	workspace, err := r.prepare()
	if err != nil || !deploy {
		return err
	}
	return r.deploy(workspace)
}

// phase shows a phase and lets the steps in it say what they wait for.
func (r *run) phase(name string, do func(say func(string, ...any)) error) error {
	return r.display.Phase(name, func(say func(string, ...any)) error {
		r.act.Say = say
		return do(say)
	})
}

// cloud makes everything but the program's own resources.
func (r *run) cloud() error {
	phases := []struct {
		name string
		do   func(say func(string, ...any)) error
	}{
		{"toolchain of the cluster", r.build(toolchain.Cluster)},
		{"network", r.network},
		{"image registry", func(func(string, ...any)) error { return registry.Execute(r.act) }},
		{"certificates", func(func(string, ...any)) error { return r.certificates() }},
		{"control plane", func(func(string, ...any)) error { return r.eachRegion(controlplane.Execute) }},
		{"images", r.images},
		{"Docker", func(func(string, ...any)) error { return docker.Execute(r.act) }},
		{"network policies", func(func(string, ...any)) error { return r.eachRegion(netpol.Execute) }},
		{"nodes", func(func(string, ...any)) error { return r.eachRegion(node.Execute) }},
		{"DNS, storage, CloudNativePG", func(func(string, ...any)) error { return r.addons() }},
	}
	for _, p := range phases {
		if err := r.phase(p.name, p.do); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) eachRegion(do func(action.Context, topology.Region) error) error {
	for _, region := range r.act.Instance.Regions() {
		if err := do(r.act, region); err != nil {
			return err
		}
	}
	return nil
}

// build makes sure of the tools of a purpose.
func (r *run) build(purpose toolchain.Purpose) func(say func(string, ...any)) error {
	return func(say func(string, ...any)) error {
		tools, err := r.tools()
		if err != nil {
			return err
		}
		all := toolchain.For(purpose)
		for n, tool := range all {
			say("%s, %d of %d", tool.Name, n+1, len(all))
			if _, err := tools.Ensure(r.ctx, tool); err != nil {
				return err
			}
		}
		return nil
	}
}

// network clears what a killed run left, lays the network and starts the supervisor, unless one runs already.
func (r *run) network(say func(string, ...any)) error {
	running, err := r.act.Supervisor.Running()
	if err != nil {
		return err
	}
	if !running {
		say("clearing what an earlier run left")
		if err := leftovers.Execute(r.ctx, r.act.Instance); err != nil {
			return err
		}
	}
	if err := network.Execute(r.ctx, r.act.Instance); err != nil || running {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	return r.act.Supervisor.Start(r.ctx, self, "supervise", "--state", r.state, "--instance", r.instance)
}

func (r *run) certificates() error {
	for _, region := range r.act.Instance.Regions() {
		if err := pki.Execute(region); err != nil {
			return err
		}
	}
	return pki.WriteKubeconfig(r.act.Instance)
}

func (r *run) images(say func(string, ...any)) error {
	opts := images.Options{Cache: r.cache, Binary: r.act.Binary, Progress: func(line string) { say("%s", line) }}
	for _, image := range images.All() {
		layout, err := images.Build(r.ctx, image, opts)
		if err != nil {
			return err
		}
		for _, ref := range image.Refs {
			say("pushing %s", ref)
			if err := images.Push(r.ctx, layout, ref, r.act.Instance.Registry()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) addons() error {
	operator, err := r.assets("manager")
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile(filepath.Join(operator, "cnpg-1.28.0.yaml"))
	if err != nil {
		return fmt.Errorf("read CloudNativePG's manifest: %w", err)
	}
	upstream := addons.Upstream{CloudNativePG: string(manifest)}
	for _, binary := range []string{"vpa-recommender", "envoy-gateway"} {
		folder, err := r.assets(binary)
		if err != nil {
			return err
		}
		upstream.Definitions = append(upstream.Definitions, folder)
	}
	return r.eachRegion(func(c action.Context, region topology.Region) error {
		return addons.Execute(c, region, upstream)
	})
}

// assets returns the folder of the files that a tool's module brings.
func (r *run) assets(binary string) (string, error) {
	path, err := r.act.Binary(binary)
	return filepath.Join(filepath.Dir(path), "..", "assets"), err
}
