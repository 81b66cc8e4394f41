package provider

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	toolsVariable = "AGENTSTACK_TOOLS"
	startTimeout  = 60 * time.Second
	stopTimeout   = 30 * time.Second

	// user and password log in to the closed registry.
	user     = "builder"
	password = "correct-horse-battery"
)

// machine is a Docker daemon and two registries: an open one and one that wants a login. They are real, and
// the tests' own.
type machine struct {
	docker, open, closed string
	// probe is a static program for Dockerfiles, see testdata/probe.
	probe string
	stop  []func()
}

var startMachine = sync.OnceValues(func() (*machine, error) {
	folder, err := os.MkdirTemp("", "agentstack-docker-")
	if err != nil {
		return nil, err
	}
	m := &machine{
		docker: "unix://" + filepath.Join(folder, "docker.sock"),
		probe:  filepath.Join(folder, "probe"),
	}
	m.stop = append(m.stop, func() { _ = os.RemoveAll(folder) })
	running = m
	if err := compileProbe(m.probe); err != nil {
		return nil, err
	}
	if m.open, err = m.startRegistry(folder, "open"); err != nil {
		return nil, err
	}
	if m.closed, err = m.startRegistry(folder, "closed"); err != nil {
		return nil, err
	}
	return m, m.startDaemon(folder)
})

// running is what TestMain stops.
var running *machine

func TestMain(m *testing.M) {
	code := m.Run()
	if running != nil {
		for i := len(running.stop) - 1; i >= 0; i-- {
			running.stop[i]()
		}
	}
	os.Exit(code)
}

// theMachine starts the daemon and the registries at the first call.
func theMachine(t *testing.T) *machine {
	t.Helper()
	started, err := startMachine()
	if err != nil {
		t.Fatal(err)
	}
	return started
}

func compileProbe(target string) error {
	command := exec.Command("go", "build", "-o", target, "./testdata/probe")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("compile probe: %w\n%s", err, out)
	}
	return nil
}

func (m *machine) startDaemon(folder string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("these tests start a Docker daemon: run them as root")
	}
	err := m.start(folder, "dockerd", "--host="+m.docker,
		"--data-root="+filepath.Join(folder, "data"), "--exec-root="+filepath.Join(folder, "exec"),
		"--pidfile="+filepath.Join(folder, "docker.pid"),
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false",
		"--userland-proxy=false")
	if err != nil {
		return fmt.Errorf("%w; dockerd is in the Debian package docker.io", err)
	}
	return waitFor("dockerd", filepath.Join(folder, "dockerd.log"), func() error {
		connection, err := net.Dial("unix", filepath.Join(folder, "docker.sock"))
		if err == nil {
			connection.Close()
		}
		return err
	})
}

// startRegistry returns the address of a new registry. The one named closed wants user and password.
func (m *machine) startRegistry(folder, name string) (string, error) {
	tools := os.Getenv(toolsVariable)
	if tools == "" {
		return "", fmt.Errorf("find registry: %s is not set: run the tests by `make test`, or set it to a folder "+
			"with the binary registry", toolsVariable)
	}
	address, err := freeAddress()
	if err != nil {
		return "", err
	}
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nhttp: {addr: %q, secret: test}\n"+
		"storage: {filesystem: {rootdirectory: %q}}\n", address, filepath.Join(folder, name))
	if name == "closed" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		users := filepath.Join(folder, "users")
		if err := os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", user, hash), 0o600); err != nil {
			return "", err
		}
		config += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", users)
	}
	file := filepath.Join(folder, name+".yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return "", err
	}
	if err := m.start(folder, filepath.Join(tools, "registry"), "serve", file); err != nil {
		return "", err
	}
	return address, waitFor("registry", filepath.Join(folder, "registry.log"), func() error {
		response, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			response.Body.Close()
		}
		return err
	})
}

// start runs a program until the tests end, with its output in folder.
func (m *machine) start(folder, program string, args ...string) error {
	file := filepath.Join(folder, filepath.Base(program)+".log")
	log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	command := exec.Command(program, args...)
	command.Stdout, command.Stderr = log, log
	// A test that is killed takes its daemons along.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // it is told to end
		close(ended)
	}()
	m.stop = append(m.stop, func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(stopTimeout):
			_ = command.Process.Kill()
			<-ended
		}
		log.Close()
	})
	return nil
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func waitFor(what, log string, ready func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(log)
			return fmt.Errorf("%s is not ready after %s: %w; its log:\n%s", what, startTimeout, err, text)
		case <-ticker.C:
		}
	}
}
