// Package toolchain builds the programs of the local cloud from Go modules, each once, into a cache that outlives the
// work tree. One folder beside this file is one tool: a Go module that pins its version.
package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
)

// Purpose is what a tool is needed for.
type Purpose int

// The purposes: the cluster itself, Pulumi on top of it, or only `make check`.
const (
	Cluster Purpose = iota
	Deploy
	Check
)

// Tool is one program, or one family of programs, that is built from one Go module.
type Tool struct {
	// Name is the tool's folder.
	Name string
	// Purpose says who needs it.
	Purpose Purpose
	// Dir is the module's folder, relative to the local module, and Package what is built in it.
	Dir, Package string
	// LDFlags go to the linker, beside -s -w.
	LDFlags string
	// Binaries are the names that the tool answers to. Links are made where the build gives the file another name.
	Binaries []string
	// Module and Assets name files of a module that are kept beside the binaries, in the folder assets.
	Module string
	Assets []string
	// Sources are more folders, relative to the local module, whose content the binary depends on.
	Sources []string
}

const (
	versionPkg    = "k8s.io/component-base/version"
	pulumiVersion = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
	cnpgVersion   = "github.com/cloudnative-pg/cloudnative-pg/pkg/versions.buildVersion"
)

// Tools are all tools, in the order in which they are best built: what everything waits for comes first.
var Tools = []Tool{
	pinned("etcd", Cluster, "", "etcd"),
	{
		Name: "kubernetes", Dir: "toolchain/kubernetes", Package: ".",
		LDFlags: setVar(versionPkg, "gitVersion=v1.34.4", "gitMajor=1", "gitMinor=34"),
		Binaries: []string{
			"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
		},
	},
	pinned("cni", Cluster, "", "bridge", "host-local", "loopback", "portmap"),
	pinned("registry", Cluster, "", "registry"),
	{Name: "coredns", Dir: "toolchain/coredns", Package: ".", Binaries: []string{"coredns"}},
	{
		Name: "cloudnative-pg", Dir: "toolchain/cloudnative-pg", Package: "tool", Binaries: []string{"manager"},
		LDFlags: "-X " + cnpgVersion + "=1.28.0",
		Module:  "github.com/cloudnative-pg/cloudnative-pg", Assets: []string{"releases/cnpg-1.28.0.yaml"},
	},
	pinned("local-path-provisioner", Cluster, "", "local-path-provisioner"),
	pinned("pulumi", Deploy, "-X "+pulumiVersion+"=3.259.0", "pulumi"),
	pinned("pulumi-language-go", Deploy, "", "pulumi-language-go"),
	plugin("kubernetes"),
	plugin("docker"),
	pinned("golangci-lint", Check, "", "golangci-lint"),
}

// For returns the tools of a purpose.
func For(purpose Purpose) []Tool {
	return slices.DeleteFunc(slices.Clone(Tools), func(t Tool) bool { return t.Purpose != purpose })
}

func pinned(name string, purpose Purpose, ldflags string, binaries ...string) Tool {
	return Tool{
		Name: name, Purpose: purpose, Dir: "toolchain/" + name, Package: "tool", LDFlags: ldflags, Binaries: binaries,
	}
}

func plugin(name string) Tool {
	binary := "pulumi-resource-" + name
	return Tool{
		Name: binary, Purpose: Deploy, Dir: ".", Package: "./plugins/" + name + "/cmd/" + binary,
		Binaries: []string{binary},
		Sources:  []string{"plugins/" + name},
	}
}

func setVar(pkg string, assignments ...string) string {
	flags := make([]string, len(assignments))
	for i, a := range assignments {
		flags[i] = "-X " + pkg + "." + a
	}
	return strings.Join(flags, " ")
}

// Builder builds tools into a cache.
type Builder struct {
	// Source is the folder of the local module.
	Source string
	// Cache is the folder that holds every build, one subfolder a tool and key.
	Cache string
}

// Find returns the tool that provides a binary.
func Find(binary string) (Tool, error) {
	for _, t := range Tools {
		if slices.Contains(t.Binaries, binary) {
			return t, nil
		}
	}
	return Tool{}, fmt.Errorf("find tool: no tool provides %q", binary)
}

// Binary returns the path of a binary, and builds its tool first where the cache lacks it.
func (b Builder) Binary(ctx context.Context, name string) (string, error) {
	tool, err := Find(name)
	if err != nil {
		return "", err
	}
	dir, err := b.Ensure(ctx, tool)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// Cached returns the folder of a tool's binaries and whether it is built.
func (b Builder) Cached(tool Tool) (dir string, built bool, err error) {
	key, err := b.key(tool)
	if err != nil {
		return "", false, fmt.Errorf("key tool %s: %w", tool.Name, err)
	}
	dir = filepath.Join(b.Cache, "tools", tool.Name, key, "bin")
	_, err = os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, false, nil
	}
	return dir, err == nil, err
}

// Ensure builds a tool unless it is in the cache, and returns the folder of its binaries. The folder appears by one
// rename, so that a build that was killed leaves nothing that looks whole.
func (b Builder) Ensure(ctx context.Context, tool Tool) (string, error) {
	dir, built, err := b.Cached(tool)
	if err != nil || built {
		return dir, err
	}
	final := filepath.Dir(dir)
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return "", fmt.Errorf("make tool folder: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(final), ".building-")
	if err != nil {
		return "", fmt.Errorf("make build folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := b.build(ctx, tool, filepath.Join(tmp, "bin")); err != nil {
		return "", err
	}
	if err := b.copyAssets(ctx, tool, filepath.Join(tmp, "assets")); err != nil {
		return "", err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", fmt.Errorf("open build folder: %w", err)
	}
	if err := os.Rename(tmp, final); err != nil {
		return "", fmt.Errorf("publish tool %s: %w", tool.Name, err)
	}
	return dir, nil
}

func (b Builder) build(ctx context.Context, tool Tool, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("make build folder: %w", err)
	}
	args := []string{"build", "-o", out + "/", "-ldflags", strings.TrimSpace("-s -w " + tool.LDFlags), tool.Package}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(b.Source, tool.Dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build tool %s: %w\n%s", tool.Name, err, tail(output, 4000))
	}
	return link(tool, out)
}

func (b Builder) copyAssets(ctx context.Context, tool Tool, out string) error {
	if len(tool.Assets) == 0 {
		return nil
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", tool.Module)
	list.Dir = filepath.Join(b.Source, tool.Dir)
	dir, err := list.Output()
	if err != nil {
		return fmt.Errorf("find module %s: %w", tool.Module, err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("make assets folder: %w", err)
	}
	for _, asset := range tool.Assets {
		content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), asset))
		if err != nil {
			return fmt.Errorf("read asset: %w", err)
		}
		if err := os.WriteFile(filepath.Join(out, filepath.Base(asset)), content, 0o644); err != nil {
			return fmt.Errorf("write asset: %w", err)
		}
	}
	return nil
}

// link gives a build of one file the names that the tool answers to.
func link(tool Tool, out string) error {
	files, err := os.ReadDir(out)
	if err != nil {
		return fmt.Errorf("read build of %s: %w", tool.Name, err)
	}
	for _, binary := range tool.Binaries {
		path := filepath.Join(out, binary)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		if len(files) != 1 {
			return fmt.Errorf("build tool %s: no file for %s among %d", tool.Name, binary, len(files))
		}
		if err := os.Symlink(files[0].Name(), path); err != nil {
			return fmt.Errorf("link %s: %w", binary, err)
		}
	}
	return nil
}

// key is a hash over what a build depends on: the sources, the flags, the compiler.
func (b Builder) key(tool Tool) (string, error) {
	h := sha256.New()
	_, _ = fmt.Fprintln(h, runtime.Version(), runtime.GOARCH, tool.Package, tool.LDFlags)
	files, err := b.inputs(tool)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(b.Source, file))
		if err != nil {
			return "", fmt.Errorf("read input: %w", err)
		}
		_, _ = fmt.Fprintf(h, "%s %d\n", file, len(content))
		_, _ = h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func (b Builder) inputs(tool Tool) ([]string, error) {
	files := []string{filepath.Join(tool.Dir, "go.mod"), filepath.Join(tool.Dir, "go.sum")}
	dirs := tool.Sources
	if tool.Dir != "." {
		dirs = []string{tool.Dir}
	}
	source := os.DirFS(b.Source)
	for _, dir := range dirs {
		err := fs.WalkDir(source, dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("walk %s: %w", dir, err)
		}
	}
	sort.Strings(files)
	return files, nil
}

func tail(b []byte, n int) string {
	if len(b) > n {
		return "…" + string(b[len(b)-n:])
	}
	return string(b)
}
