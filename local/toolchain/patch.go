package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// patch fills folder with a copy of the tool's Dir that takes its Module from the folder module, where the files of
// Blank are added. The go command refuses overlays of its module cache.
func (b Builder) patch(ctx context.Context, tool Tool, folder string) error {
	dir, err := b.moduleDir(ctx, tool)
	if err != nil {
		return err
	}
	module := filepath.Join(folder, "module")
	if err := errors.Join(
		os.CopyFS(folder, os.DirFS(filepath.Join(b.Source, tool.Dir))), os.CopyFS(module, os.DirFS(dir)),
	); err != nil {
		return fmt.Errorf("copy module %s: %w", tool.Module, err)
	}
	for _, file := range tool.Blank {
		path := filepath.Join(module, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			return fmt.Errorf("add blank file: %w", err)
		}
	}
	// A relative path, since the binary records it and must be the same wherever it is built.
	replace := exec.CommandContext(ctx, "go", "mod", "edit", "-replace", tool.Module+"=./module")
	replace.Dir = folder
	if out, err := replace.CombinedOutput(); err != nil {
		return fmt.Errorf("replace module %s: %w\n%s", tool.Module, err, out)
	}
	return nil
}

// moduleDir returns the folder of the tool's Module in the module cache.
func (b Builder) moduleDir(ctx context.Context, tool Tool) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", tool.Module)
	cmd.Dir = filepath.Join(b.Source, tool.Dir)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("download module %s: %w\n%s", tool.Module, err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("find module %s: %w", tool.Module, err)
	}
	return module.Dir, nil
}
