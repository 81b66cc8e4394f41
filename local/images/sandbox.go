package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// outputLines is how much of a failed command's output its error quotes.
const outputLines = 20

// contained runs argv in mount and PID namespaces of its own. Mounts made inside end with it, and
// everything it started ends with this process, however that dies.
func contained(ctx context.Context, procAt string, argv ...string) (string, error) {
	args := []string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc=" + procAt}
	cmd := exec.CommandContext(ctx, "unshare", append(args, argv...)...)
	cmd.Env = append(proxyEnv(), systemPath, "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out

	// The parent-death signal belongs to the thread that starts the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("%w: install it with apt-get install util-linux", err)
		}
		return "", fmt.Errorf("%w; the last lines of its output:\n%s", err, lastLines(out.String()))
	}
	return out.String(), nil
}

// inRoot runs a shell script with root as its root directory and stops at the first command that fails.
func inRoot(ctx context.Context, root, script string) (string, error) {
	return contained(ctx, root+"/proc", "chroot", root, "/bin/sh", "-euc", script)
}

func proxyEnv() []string {
	var env []string
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-outputLines):], "\n")
}
