package pulumi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Up runs `pulumi up`, writes what it prints to a log, and says each line as it comes. The error ends with the
// diagnostics that Pulumi printed.
func (w Workspace) Up(ctx context.Context, log string, say func(format string, args ...any)) error {
	if err := w.clearDeadLocks(ctx); err != nil {
		return err
	}
	cmd, err := w.home().command(ctx, w.Program, w.withConfigFile([]string{"up", "--stack", Stack, "--yes",
		"--skip-preview", "--non-interactive", "--color=never"})...)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = file.Close() }()
	// Pulumi ends in good order on an interrupt; killed, it would leave its lock.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start pulumi: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait(); _ = writer.Close() }()
	diagnostics := follow(io.TeeReader(reader, file), func(line string) {
		if text := strings.Join(strings.Fields(line), " "); text != "" {
			say("%s", text)
		}
	})
	if err := <-done; err != nil {
		return fmt.Errorf("run pulumi up: %w; see %s\n%s", err, log, diagnostics)
	}
	return nil
}

// headings lead what Pulumi prints after the resources.
var headings = []string{"Diagnostics:", "Policies:", "Outputs:", "Resources:", "error:"}

// follow says each line and returns the part that begins with the first heading.
func follow(output io.Reader, say func(line string)) string {
	var tail strings.Builder
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		leads := func(heading string) bool { return strings.HasPrefix(line, heading) }
		if tail.Len() > 0 || slices.ContainsFunc(headings, leads) {
			tail.WriteString(line + "\n")
		}
		say(line)
	}
	return tail.String()
}

// clearDeadLocks removes the stack's locks whose processes are gone: a killed `pulumi up` leaves one.
func (w Workspace) clearDeadLocks(ctx context.Context) error {
	locks, err := filepath.Glob(w.home().path("state", ".pulumi", "locks", "*", "*", Stack, "*.json"))
	if err != nil {
		return fmt.Errorf("list locks: %w", err)
	}
	for _, path := range locks {
		if err := deadLock(path); err != nil {
			return err
		}
	}
	if len(locks) == 0 {
		return nil
	}
	_, err = w.home().run(ctx, w.Program, "cancel", Stack, "--yes")
	return err
}

// deadLock gives an error unless the process that holds a lock is gone.
func deadLock(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read lock: %w", err)
	}
	var holder struct {
		Pid int `json:"pid"`
	}
	if err := json.Unmarshal(content, &holder); err != nil {
		return fmt.Errorf("parse lock %s: %w", path, err)
	}
	if err := syscall.Kill(holder.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("another pulumi runs on this stack, process %d; wait for it", holder.Pid)
	}
	return nil
}
