//go:build e2e

package chaos

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"agentstack/tests/cloud"
)

func (m *measurement) deleteByForce(pods ...cloud.Pod) {
	m.Helper()
	args := []string{"delete", "pod", "--grace-period=0", "--force", "--wait=false"}
	for _, pod := range pods {
		args = append(args, pod.Metadata.Name)
	}
	cloud.Kubectl(m.T, args...)
}

func (m *measurement) kill(pod cloud.Pod, program string) {
	m.Helper()
	pid, err := pod.Process(program)
	if err != nil {
		m.Fatal(err)
	}
	m.strike("SIGKILL to " + program + " in " + pod.Metadata.Name)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		m.Fatal(err)
	}
}

func primaryDeleted(m *measurement) {
	m.strike("deleting " + m.primary.Metadata.Name)
	m.deleteByForce(m.primary)
	m.whole()
}

func primaryKilled(m *measurement) {
	m.kill(m.primary, "postgres")
	m.whole()
}

// primaryLostUnconfirmed loses the primary after a time in which no replica has confirmed anything: nothing of this
// time may have been acknowledged, or else it is lost now.
func primaryLostUnconfirmed(m *measurement) {
	receivers := m.walReceivers()
	m.strike("stopping the receivers of both replicas")
	for _, pid := range receivers {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			m.Fatal(err)
		}
		m.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	}
	// Longer than the app and its statements wait before they try again.
	time.Sleep(8 * time.Second)
	m.kill(m.primary, "postgres")
	m.deleteByForce(m.primary)
	for _, pid := range receivers {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	m.whole()
}

// walReceivers returns the processes, on the host, by which the replicas get what the primary writes.
func (m *measurement) walReceivers() []int {
	m.Helper()
	instances, err := cloud.Pods(instanceLabel)
	if err != nil {
		m.Fatal(err)
	}
	var receivers []int
	for _, pod := range instances {
		if pod.Metadata.Name == m.primary.Metadata.Name {
			continue
		}
		postmaster, err := pod.Process("postgres")
		if err != nil {
			m.Fatal(err)
		}
		output, err := exec.Command("pgrep", "-P", strconv.Itoa(postmaster), "-f", "walreceiver").Output()
		if err != nil {
			m.Fatalf("%s has no receiver: %v", pod.Metadata.Name, err)
		}
		receiver, err := strconv.Atoi(strings.TrimSpace(string(output)))
		if err != nil {
			m.Fatal(err)
		}
		receivers = append(receivers, receiver)
	}
	return receivers
}

// operatorAway loses the primary while nobody is there to promote another one.
func operatorAway(m *measurement) {
	const back = 30 * time.Second
	scaleOperator(m.T, 0)
	m.Cleanup(func() { scaleOperator(m.T, operators) })
	m.strike("deleting " + m.primary.Metadata.Name + " while the operator is away")
	m.deleteByForce(m.primary)
	time.Sleep(20 * time.Second)
	scaleOperator(m.T, operators)
	running := time.Now()
	m.whole()
	for _, w := range []*writer{m.api, m.sql} {
		after, err := w.backAfter(running)
		if err != nil || after > back {
			m.Errorf("%s: %s after the operator was back, %v", w.name, after, err)
		}
		m.Logf("%s: back %.1f s after the operator", w.name, after.Seconds())
	}
}
