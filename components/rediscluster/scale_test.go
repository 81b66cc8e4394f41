package rediscluster

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// job returns reshard.sh for a number of leaders. formed is the number of the ConfigMap, "" without one.
func (c *testCluster) job(mode string, leaders int, formed string) *exec.Cmd {
	command := exec.Command(filepath.Join(c.scripts, "reshard.sh"), mode)
	command.Env = append(c.clientEnv(leaders), "FORMED_LEADERS="+formed)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return command
}

// reshard runs a job that has to succeed.
func (c *testCluster) reshard(mode string, leaders int, formed string) {
	c.t.Helper()
	output, err := c.job(mode, leaders, formed).CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s with %d leaders: %v\n%s", mode, leaders, err, output)
	}
	c.t.Logf("%s with %d leaders:\n%s", mode, leaders, output)
}

// refuses runs a drain that has to fail with a reason.
func (c *testCluster) refuses(leaders int, formed, reason string) {
	c.t.Helper()
	output, err := c.job("drain", leaders, formed).CombinedOutput()
	if err == nil || !strings.Contains(string(output), reason) {
		c.t.Errorf("want a failure because %q, got %v: %s", reason, err, output)
	}
}

// restartAgents gives every agent the present list of pods, as a rolling update does.
func (c *testCluster) restartAgents() {
	c.killAgents()
	for _, pod := range c.pods() {
		pod.startAgent()
	}
}

// add starts a leader and its follower; remove stops the last ones and keeps their disks.
func (c *testCluster) add(pods ...*testPod) {
	c.leaders, c.followers = append(c.leaders, pods[0]), append(c.followers, pods[1])
	c.publishAddresses()
	for _, pod := range pods {
		pod.startRedis()
		pod.startAgent()
	}
	c.restartAgents()
	for _, pod := range pods {
		c.eventually("readiness of a pod without slots", func() error {
			output, err := pod.run("ready.sh")
			if err != nil {
				err = fmt.Errorf("%s: %s", pod.name, output)
			}
			return err
		})
	}
}

func (c *testCluster) remove() {
	last := len(c.leaders) - 1
	removed := []*testPod{c.leaders[last], c.followers[last]}
	c.leaders, c.followers = c.leaders[:last], c.followers[:last]
	for _, pod := range removed {
		pod.kill()
	}
	c.restartAgents()
}

// writer stores keys one after the other until it is stopped, and remembers which of them were acknowledged.
type writer struct {
	stop  chan struct{}
	done  chan struct{}
	acked []string
	count int
}

func (c *testCluster) startWriter(prefix string, through *testPod) *writer {
	w := &writer{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for number := 0; ; number++ {
			select {
			case <-w.stop:
				return
			default:
			}
			key := fmt.Sprintf("%s:%d", prefix, number)
			if _, err := through.asApp("set", key, key); err == nil {
				w.acked = append(w.acked, key)
			}
			if _, err := through.asApp("incr", prefix); err == nil {
				w.count++
			}
		}
	}()
	return w
}

// check stops the writer and looks for everything that was acknowledged.
func (w *writer) check(c *testCluster, prefix string) {
	c.t.Helper()
	close(w.stop)
	<-w.done
	for _, key := range w.acked {
		value, err := c.leaders[0].asApp("get", key)
		if err != nil || value != key {
			c.t.Errorf("acknowledged key %s is %q, %v", key, value, err)
		}
	}
	value, err := c.leaders[0].asApp("get", prefix)
	var counted int
	if _, scanErr := fmt.Sscan(value, &counted); errors.Join(err, scanErr) != nil || counted < w.count {
		c.t.Errorf("counted to %q, %v, after %d acknowledged increments", value, err, w.count)
	}
	c.t.Logf("%d keys and %d increments were acknowledged", len(w.acked), w.count)
}

func TestScaleLeaders(t *testing.T) {
	t.Parallel()
	c := formedCluster(t)
	w := c.startWriter("writer", c.leaders[0])
	pods := []*testPod{c.newPod(leader, 3), c.newPod(follower(1), 3)}
	pods[0].ip, pods[1].ip = "127.0.9.7", "127.0.9.8"

	c.reshard("drain", 3, "3")
	c.add(pods...)
	c.reshard("rebalance", 4, "4")
	c.eventually("four leaders", c.formed)
	stale := []string{t.TempDir(), t.TempDir()}
	for i, pod := range pods {
		must(t, os.CopyFS(stale[i], os.DirFS(pod.disk)))
	}

	c.reshard("drain", 3, "4")
	c.remove()
	c.eventually("three leaders, and the others forgotten", c.formed)
	c.read("first")

	// The disks are as they were while the leader had slots, the worst that a backup of them could be.
	for i, pod := range pods {
		pod.disk, pod.memory = stale[i], t.TempDir()
	}
	c.add(pods...)
	c.reshard("rebalance", 4, "4")
	c.eventually("four leaders again", c.formed)
	w.check(c, "writer")
	c.read("first")
}

// Keys may be any bytes.
var oddKeys = []string{"{odd}one two", "{odd}\"quoted\"", "{odd}line\nbreak", "{odd}\\x00\xff$HOME`id`", "{odd}*'[a]"}

func TestDrainGoesOnAfterKill(t *testing.T) {
	t.Parallel()
	c := newClusterOf(t, shape{leaders: 4, followersPerLeader: 1, tls: newCertificate(t)})
	c.assignAddresses(1)
	c.startAll()
	c.eventually("formation", c.formed)
	c.write("first")
	for _, key := range oddKeys {
		_, err := c.leaders[0].asApp("set", key, "value of "+key)
		must(t, err)
	}
	w := c.startWriter("writer", c.leaders[0])
	killed := c.job("drain", 3, "4")
	must(t, killed.Start())
	c.eventually("the first slots that moved", func() error {
		self, err := c.leaders[3].self()
		if err == nil && len(self.owned()) == 4096 {
			err = errors.New("it has all that it had")
		}
		return err
	})
	kill(killed)
	c.halfMove(oddKeys[0])
	c.reshard("drain", 3, "4")
	self, err := c.leaders[3].self()
	if err != nil || self.slots != "" {
		t.Errorf("it still has %+v, %v", self, err)
	}
	c.remove()
	c.eventually("three leaders", c.formed)
	w.check(c, "writer")
	c.read("first")
	for _, key := range oddKeys {
		if value, err := c.leaders[0].asApp("get", key); err != nil || value != "value of "+key {
			t.Errorf("%q has %q, %v", key, value, err)
		}
	}
}

// halfMove leaves a slot as a job that was killed leaves it: one of its keys has moved.
func (c *testCluster) halfMove(key string) {
	c.t.Helper()
	answer, err := c.leaders[0].asApp("cluster", "keyslot", key)
	must(c.t, err)
	slot, err := strconv.Atoi(answer)
	must(c.t, err)
	var from, to *testPod
	var source, target string
	for _, pod := range c.leaders {
		self, err := pod.self()
		must(c.t, err)
		if slices.Contains(self.owned(), slot) {
			from, source = pod, self.id
		} else {
			to, target = pod, self.id
		}
	}
	_, err = to.asOperator("cluster", "setslot", answer, "importing", source)
	must(c.t, err)
	_, err = from.asOperator("cluster", "setslot", answer, "migrating", target)
	must(c.t, err)
	_, err = from.asOperator("migrate", to.ip, strconv.Itoa(to.port), "", "0", "5000", "auth2", "operator",
		operatorPassword, "keys", key)
	must(c.t, err)
}

// slots returns what each leader has.
func (c *testCluster) slots() map[string]string {
	slots := map[string]string{}
	for _, pod := range c.leaders {
		self, err := pod.self()
		must(c.t, err)
		slots[pod.name] = self.slots
	}
	return slots
}

func TestDrainIsRefused(t *testing.T) {
	t.Parallel()
	c := newClusterOf(t, shape{leaders: 4, followersPerLeader: 1})
	c.assignAddresses(1)
	c.reshard("drain", 3, "")
	c.reshard("drain", 4, "4")
	c.reshard("drain", 4, "3")
	c.refuses(3, "4", "no leader can be reached")

	c.startAll()
	c.eventually("formation", c.formed)
	before := c.slots()
	for number := range 250 {
		_, err := c.leaders[0].asApp("eval", "return redis.call('set', KEYS[1], string.rep('x', 262144))", "1",
			fmt.Sprintf("large:%d", number))
		must(t, err)
	}
	c.refuses(3, "4", "drop keys")
	if after := c.slots(); !maps.Equal(before, after) {
		t.Errorf("the slots moved from %v to %v", before, after)
	}
	c.leaders[1].kill()
	c.eventually("promotion of the follower", c.followers[1].leads)
	// The one is down and the other in its place: the table decides which is named.
	c.refuses(3, "4", "-1."+headless)
	last, err := c.leaders[3].self()
	if err != nil || last.slots != before[c.leaders[3].name] {
		t.Errorf("slots moved: the last leader has %s, %v", last.slots, err)
	}
}
