package rediscluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience is how long a test waits for the cluster to reach a state; a loaded machine needs a part of it.
	patience = 90 * time.Second

	appPassword      = "APPLICATIONPASSWORD"
	operatorPassword = "OPERATORPASSWORD"
	exporterPassword = "EXPORTERPASSWORD"

	// nssWrapper resolves host names from a file, for the processes that are started with it.
	nssWrapper = "libnss_wrapper.so"
)

// shape is what a cluster is made of.
type shape struct {
	leaders, followersPerLeader int
	// tls is a directory with the files of the Secret; empty: no TLS.
	tls string
}

// testCluster runs the scripts of this package as the pods do, with real Redis processes: each "pod" has an address
// of its own on the loopback interface, a stable DNS name, a disk and a memory volume.
type testCluster struct {
	t              *testing.T
	scripts, hosts string
	tls            string
	leaders        []*testPod
	// followers are ordered by rank and then by shard.
	followers []*testPod
}

type testPod struct {
	cluster      *testCluster
	name, ip     string
	port         int
	disk, memory string
	redis, agent *exec.Cmd
}

func newTestCluster(t *testing.T) *testCluster {
	t.Helper()
	return newClusterOf(t, shape{leaders: 3, followersPerLeader: 1})
}

func newClusterOf(t *testing.T, s shape) *testCluster {
	t.Helper()
	for _, program := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("find %s (run `make deps`): %v", program, err)
		}
	}
	if found, err := filepath.Glob("/usr/lib/*/" + nssWrapper); err != nil || len(found) == 0 {
		t.Fatalf("find libnss-wrapper (run `make deps`): %v", err)
	}
	c := &testCluster{t: t, scripts: t.TempDir(), hosts: filepath.Join(t.TempDir(), "hosts"), tls: s.tls}
	files, err := scriptFiles()
	must(t, err)
	// How long a Job waits is not what is tested.
	files["reshard.sh"] = strings.Replace(files["reshard.sh"], "PATIENCE=60 ", "PATIENCE=10 ", 1)
	for name, content := range files {
		must(t, os.WriteFile(filepath.Join(c.scripts, name), []byte(content), 0o555))
	}
	for index := range s.leaders {
		c.leaders = append(c.leaders, c.newPod(leader, index))
	}
	for rank := range s.followersPerLeader {
		for index := range s.leaders {
			c.followers = append(c.followers, c.newPod(follower(rank+1), index))
		}
	}
	t.Cleanup(c.cleanUp)
	return c
}

func (c *testCluster) newPod(r role, index int) *testPod {
	pod := fmt.Sprintf("%s-%d", r.object(), index)
	name, _, _ := strings.Cut(Args{Namespace: "test"}.endpoint(pod), ":")
	return &testPod{
		cluster: c, name: name, port: freePort(c.t),
		disk: c.t.TempDir(), memory: c.t.TempDir(),
	}
}

// pods returns the leaders and then the followers.
func (c *testCluster) pods() []*testPod {
	return append(append([]*testPod{}, c.leaders...), c.followers...)
}

// assignAddresses gives every pod an address in 127.0.subnet.0/24, as a restart of all machines would.
func (c *testCluster) assignAddresses(subnet int) {
	c.t.Helper()
	for index, pod := range c.pods() {
		pod.ip = fmt.Sprintf("127.0.%d.%d", subnet, index+1)
	}
	c.publishAddresses()
}

// publishAddresses is the DNS: what the scripts find under the names of the pods from now on.
func (c *testCluster) publishAddresses() {
	c.t.Helper()
	var lines strings.Builder
	for _, pod := range c.pods() {
		fmt.Fprintf(&lines, "%s %s\n", pod.ip, pod.name)
	}
	must(c.t, os.WriteFile(c.hosts, []byte(lines.String()), 0o644))
}

func (c *testCluster) startAll() {
	c.t.Helper()
	for _, pod := range c.pods() {
		pod.startRedis()
		pod.startAgent()
	}
}

func (c *testCluster) killAll() {
	for _, pod := range c.pods() {
		pod.kill()
	}
}

func (c *testCluster) killAgents() {
	for _, pod := range c.pods() {
		kill(pod.agent)
	}
}

func (c *testCluster) cleanUp() {
	c.killAll()
	if !c.t.Failed() {
		return
	}
	for _, pod := range c.pods() {
		log, err := os.ReadFile(pod.logFile())
		if err != nil {
			log = []byte(err.Error())
		}
		c.t.Logf("log of %s at %s:%d:\n%s", pod.name, pod.ip, pod.port, log[max(0, len(log)-4000):])
	}
}

func (p *testPod) endpoint() string { return fmt.Sprintf("%s:%d", p.name, p.port) }

func (p *testPod) logFile() string { return filepath.Join(p.memory, "log") }

func endpointsOf(pods []*testPod) string {
	var list []string
	for _, pod := range pods {
		list = append(list, pod.endpoint())
	}
	return strings.Join(list, " ")
}

// clientEnv is that of a Job, for a number of leaders.
func (c *testCluster) clientEnv(leaders int) []string {
	return append(os.Environ(), "LD_PRELOAD="+nssWrapper, "NSS_WRAPPER_HOSTS="+c.hosts,
		"LEADERS="+endpointsOf(c.leaders[:leaders]), "REDISCLI_AUTH="+operatorPassword, "TLS_DIR="+c.tls)
}

func (p *testPod) env() []string {
	return append(p.cluster.clientEnv(len(p.cluster.leaders)),
		"POD_IP="+p.ip, fmt.Sprintf("REDIS_PORT=%d", p.port), "SELF="+p.endpoint(),
		"FOLLOWERS="+endpointsOf(p.cluster.followers), "MAXMEMORY_POLICY=allkeys-lru",
		"APP_USERNAME="+Username, "APP_PASSWORD="+appPassword, "EXPORTER_PASSWORD="+exporterPassword,
		"DATA_DIR="+p.disk, "RUN_DIR="+p.memory, "MAXMEMORY=33554432")
}

func (p *testPod) startRedis() { p.redis = p.start("start.sh") }

func (p *testPod) startAgent() { p.agent = p.start("agent.sh") }

// start runs a script in a process group of its own, with its output in the pod's log.
func (p *testPod) start(script string) *exec.Cmd {
	t := p.cluster.t
	t.Helper()
	log, err := os.OpenFile(p.logFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	defer log.Close()
	command := exec.Command(filepath.Join(p.cluster.scripts, script))
	command.Env, command.Stdout, command.Stderr = p.env(), log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	must(t, command.Start())
	return command
}

// kill ends the pod as the loss of its machine does.
func (p *testPod) kill() {
	kill(p.agent)
	kill(p.redis)
	p.agent, p.redis = nil, nil
}

// kill ends a script with everything that it started. One that ended by itself is fine.
func kill(script *exec.Cmd) {
	if script != nil && script.ProcessState == nil {
		_ = syscall.Kill(-script.Process.Pid, syscall.SIGKILL)
		_ = script.Wait()
	}
}

// signal reaches redis-server itself.
func (p *testPod) signal(signal syscall.Signal) {
	p.cluster.t.Helper()
	must(p.cluster.t, syscall.Kill(p.redis.Process.Pid, signal))
}

// run executes a script as a probe or a hook does, and returns what it printed.
func (p *testPod) run(script string) (string, error) {
	command := exec.Command(filepath.Join(p.cluster.scripts, script))
	command.Env = p.env()
	output, err := command.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// cli sends one command to the pod's node as a user; it follows redirections.
func (p *testPod) cli(user, password string, arguments ...string) (string, error) {
	options := []string{"-c", "-e", "--user", user, "-h", p.ip, "-p", fmt.Sprint(p.port)}
	if p.cluster.tls != "" {
		options = append(options, "--tls", "--cacert", filepath.Join(p.cluster.tls, "ca.crt"))
	}
	command := exec.Command("redis-cli", append(options, arguments...)...)
	command.Env = append(p.env(), "REDISCLI_AUTH="+password)
	output, err := command.CombinedOutput()
	text := strings.TrimSpace(string(output))
	if err != nil {
		return text, fmt.Errorf("%s: %s: %w", strings.Join(arguments, " "), text, err)
	}
	return text, nil
}

func (p *testPod) asApp(arguments ...string) (string, error) {
	return p.cli(Username, appPassword, arguments...)
}

func (p *testPod) asOperator(arguments ...string) (string, error) {
	return p.cli("operator", operatorPassword, arguments...)
}

// eventually waits until check returns nil, and fails the test with its last error after patience.
func (c *testCluster) eventually(what string, check func() error) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("wait for %s: %v", what, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// ports are those that tests of this run have. Most are not listened on yet when the next test asks for one.
var ports sync.Map

// freePort returns a port that is free, as is its cluster bus port. Both are below those from which the kernel takes
// the ports of outgoing connections: it would take one between this check and the start of Redis.
func freePort(t *testing.T) int {
	t.Helper()
	var last error
	for range 100 {
		candidate := 12000 + rand.IntN(10000)
		if _, taken := ports.LoadOrStore(candidate, true); taken {
			continue
		}
		client, clientErr := net.Listen("tcp", fmt.Sprintf(":%d", candidate))
		bus, busErr := net.Listen("tcp", fmt.Sprintf(":%d", candidate+busPort-port))
		for _, listener := range []net.Listener{client, bus} {
			if listener != nil {
				must(t, listener.Close())
			}
		}
		if last = errors.Join(clientErr, busErr); last == nil {
			return candidate
		}
	}
	t.Fatalf("find a free port: %v", last)
	return 0
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
