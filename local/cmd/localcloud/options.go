package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"agentstack/local/cluster/supervisor"
	"agentstack/local/cluster/topology"
	"agentstack/local/pulumi"
	"agentstack/local/toolchain"
)

// options are the flags that every subcommand knows.
type options struct {
	instance, state, cache, source string
}

func (o *options) dir() string { return filepath.Join(o.state, o.instance) }

func (o *options) load() (topology.Instance, error) {
	i, err := topology.Load(o.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return i, fmt.Errorf("there is no local cloud %q under %s; `make up` makes one", o.instance, o.state)
	}
	return i, err
}

func (o *options) tools() (toolchain.Builder, error) {
	source, err := filepath.Abs(filepath.Join(o.source, "local"))
	return toolchain.Builder{Source: source, Cache: o.cache}, err
}

// binary gives the path of a tool and builds it first where that is needed.
func (o *options) binary(ctx context.Context) func(string) (string, error) {
	known := map[string]string{}
	return func(name string) (string, error) {
		if path, ok := known[name]; ok {
			return path, nil
		}
		tools, err := o.tools()
		if err != nil {
			return "", err
		}
		known[name], err = tools.Binary(ctx, name)
		return known[name], err
	}
}

func (o *options) workspace(ctx context.Context, i topology.Instance) (pulumi.Workspace, error) {
	program, err := filepath.Abs(o.source)
	return pulumi.Workspace{Instance: i, Program: program, Binary: o.binary(ctx)}, err
}

// lock keeps two runs that change an instance apart.
func (o *options) lock() (unlock func(), err error) {
	if err := os.MkdirAll(o.state, 0o755); err != nil { // a reset may be the first command on a machine
		return nil, fmt.Errorf("make folder of the local clouds: %w", err)
	}
	unlock, err = supervisor.Lock(filepath.Join(o.state, o.instance+".lock"))
	if errors.Is(err, supervisor.ErrRunning) {
		return nil, fmt.Errorf("another run is changing the local cloud %q; wait for it", o.instance)
	}
	return unlock, err
}
