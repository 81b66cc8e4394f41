//go:build e2e

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"agentstack/tests/cloud"
)

// primaryCutOff drops all that the primary sends and gets, as a broken switch would. Its own loopback goes on. The
// guard deletes its pod; the one that follows has a network of its own, so nothing joins again but what is left of the
// first.
func primaryCutOff(m *measurement) {
	const duration = time.Minute
	pid, err := m.primary.Process("postgres")
	if err != nil {
		m.Fatal(err)
	}
	// Held open: PostgreSQL may be restarted meanwhile, and then the process is gone.
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = network.Close() })
	iptables := func(action string) {
		for _, direction := range [][]string{{"INPUT", "-i"}, {"OUTPUT", "-o"}} {
			args := []string{fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), network.Fd()),
				"iptables", action, direction[0], direction[1], "eth0", "-j", "DROP"}
			if output, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
				m.Errorf("nsenter %q: %v\n%s", args, err, output)
			}
		}
	}
	m.strike("cutting off " + m.primary.Metadata.Name)
	iptables("-I")
	time.Sleep(duration)
	for _, w := range []*writer{m.api, m.sql} {
		if err := w.lively(); err != nil {
			m.Errorf("at the end of the cut: %v", err)
		}
	}
	m.Logf("%s joining again", time.Now().Format(time.TimeOnly))
	iptables("-D")
	m.whole()
	m.Logf("the guards:\n%s", cloud.Kubectl(m.T, "logs", "--selector=app.kubernetes.io/name=ai-agent-db-guard",
		"--prefix", "--since-time="+m.struck.UTC().Format(time.RFC3339)))
}
