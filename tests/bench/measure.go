package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// measure runs a program with this process's environment and streams, and writes what it cost to a file. It ends as
// the program does.
func measure(ctx context.Context, file, program string) error {
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	runErr := cmd.Run()
	var exit *exec.ExitError
	if runErr != nil && !errors.As(runErr, &exit) {
		return fmt.Errorf("run %s: %w", program, runErr)
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not tell what a process used")
	}
	encoded, err := json.Marshal(cost{
		CPU:    cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		Memory: used.Maxrss << 10, // Linux counts in KiB: getrusage(2)
	})
	if err != nil {
		return fmt.Errorf("encode usage: %w", err)
	}
	if err := os.WriteFile(file, encoded, 0o600); err != nil {
		return fmt.Errorf("write usage: %w", err)
	}
	return runErr
}
