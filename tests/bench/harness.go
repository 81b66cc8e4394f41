package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// harness is a folder with the Pulumi CLI's home, the toolchain's programs and the two programs to compare.
type harness struct {
	folder string
}

func (h harness) path(elem ...string) string {
	return filepath.Join(append([]string{h.folder}, elem...)...)
}

// prepare builds both programs, so that no compiler is measured, and puts Pulumi, its language host and the plugins
// into one folder, where the CLI finds them by PATH.
func (h harness) prepare(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "bench: build programs")
	for name, pkg := range map[string]string{componentsName: ".", flatName: "./tests/bench/flat"} {
		if err := command(ctx, ".", nil, "go", "build", "-o", h.path(name), pkg); err != nil {
			return err
		}
	}
	return command(ctx, ".", nil, "bin/localcloud", "tools", h.path("tools"), "pulumi", languageHost,
		"pulumi-resource-aws", "pulumi-resource-docker", "pulumi-resource-kubernetes")
}

// The two programs, which are also the names of their folders and binaries.
const (
	componentsName = "components"
	flatName       = "flat"
)

const languageHost = "pulumi-language-go"

// measureRegions previews the stack with that many regions by both programs, in turns, so that a machine that becomes
// slower does so for both.
func (h harness) measureRegions(ctx context.Context, regions int) (row, error) {
	fmt.Fprintf(os.Stderr, "bench: preview %d regions\n", regions)
	config, err := withRegions("Pulumi.production.yaml", regions)
	if err != nil {
		return row{}, err
	}
	resources, err := register(config)
	if err != nil {
		return row{}, err
	}
	projects := map[string]project{}
	for _, name := range []string{componentsName, flatName} {
		p := project{harness: h, name: name, folder: h.path(fmt.Sprintf("%s-%d", name, regions))}
		if err := p.make(ctx, config, resources); err != nil {
			return row{}, err
		}
		projects[name] = p
	}
	costs := map[string][]cost{}
	for range runs {
		for name, p := range projects {
			measured, err := p.preview(ctx)
			if err != nil {
				return row{}, err
			}
			costs[name] = append(costs[name], measured)
		}
	}
	return row{
		regions: regions, resources: len(resources),
		components: medians(costs[componentsName]), flatted: medians(costs[flatName]),
	}, nil
}

func medians(costs []cost) cost {
	var walls, cpus []time.Duration
	var memories []int64
	for _, c := range costs {
		walls, cpus, memories = append(walls, c.Wall), append(cpus, c.CPU), append(memories, c.Memory)
	}
	return cost{Wall: median(walls), CPU: median(cpus), Memory: median(memories)}
}

// project is a Pulumi project in a folder of its own.
type project struct {
	harness
	name, folder string
}

// make writes the project and makes its stack. Its program is started by `bench measure`, which notes what it costs.
func (p project) make(ctx context.Context, config map[string]any, resources []resource) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	app, err := filepath.Abs("app")
	if err != nil {
		return fmt.Errorf("find application: %w", err)
	}
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		return fmt.Errorf("make project: %w", err)
	}
	files := map[string]any{
		"Pulumi.yaml":            map[string]any{"name": "agentstack", "runtime": "go"},
		"Pulumi.production.yaml": map[string]any{"config": config},
		"resources.json":         resources,
	}
	for name, content := range files {
		encoded, err := json.Marshal(content) // JSON is YAML
		if err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(p.folder, name), encoded, 0o600); err != nil {
			return fmt.Errorf("write project: %w", err)
		}
	}
	// The toolchain's language host is older than the CLI and takes a built program by this flag alone, not by the
	// project's option "binary".
	wrapper := filepath.Join(p.folder, "program")
	host := filepath.Join(p.folder, languageHost)
	for path, line := range map[string]string{
		wrapper: fmt.Sprintf("%s measure %s %s", self, p.usage(), p.path(p.name)),
		host:    fmt.Sprintf(`%s -binary=%s "$@"`, p.path("tools", languageHost), wrapper),
	} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\nexec "+line+"\n"), 0o700); err != nil {
			return fmt.Errorf("write script: %w", err)
		}
	}
	if err := os.Symlink(app, filepath.Join(p.folder, "app")); err != nil {
		return fmt.Errorf("link application: %w", err)
	}
	if err := os.MkdirAll(p.state(), 0o700); err != nil {
		return fmt.Errorf("make state: %w", err)
	}
	if err := p.pulumi(ctx, "stack", "init", "production"); err != nil {
		return err
	}
	for key, value := range secrets {
		if err := p.pulumi(ctx, "config", "set", "--secret", key, value); err != nil {
			return err
		}
	}
	return nil
}

func (p project) state() string { return p.folder + ".state" }

func (p project) usage() string { return filepath.Join(p.folder, "usage.json") }

func (p project) preview(ctx context.Context) (cost, error) {
	began := time.Now()
	if err := p.pulumi(ctx, "preview", "--stack", "production", "--suppress-outputs"); err != nil {
		return cost{}, err
	}
	wall := time.Since(began)
	encoded, err := os.ReadFile(p.usage())
	if err != nil {
		return cost{}, fmt.Errorf("read usage of program: %w", err)
	}
	var used cost
	if err := json.Unmarshal(encoded, &used); err != nil {
		return cost{}, fmt.Errorf("parse usage of program: %w", err)
	}
	used.Wall = wall
	return used, nil
}

// pulumi runs the CLI without anything that the machine's user has: no plugins, clusters, accounts or Docker.
func (p project) pulumi(ctx context.Context, args ...string) error {
	env := []string{
		"PATH=" + p.folder + ":" + p.path("tools") + ":" + os.Getenv("PATH"),
		"PULUMI_HOME=" + p.path("home"),
		"PULUMI_BACKEND_URL=file://" + p.state(),
		"PULUMI_CONFIG_PASSPHRASE=bench",
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
		"AWS_ACCESS_KEY_ID=placeholder", "AWS_SECRET_ACCESS_KEY=placeholder",
		"KUBECONFIG=" + p.path("no-kubeconfig"),
		"DOCKER_HOST=unix://" + p.path("no-docker.sock"),
	}
	return command(ctx, p.folder, env, p.path("tools", "pulumi"), append(args, "--non-interactive")...)
}

// command runs a program, and shows what it printed only in its error.
func command(ctx context.Context, folder string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s %v: %w\n%s", filepath.Base(name), args, err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}
