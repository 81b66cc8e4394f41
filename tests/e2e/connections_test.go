//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"agentstack/tests/cloud"
)

// What can become of a connection. A closed one was answered: nothing listens, or it was rejected in so many words.
const (
	made    = "yes"
	dropped = "-"
	closed  = "closed"
)

const connectTimeout = 5 * time.Second

// connect tries to connect to each of its arguments, side by side, and prints with what status each ended: 124 is that
// of the time limit.
var connect = fmt.Sprintf(`for target; do
	{ timeout %d bash -c 'exec 3<>"/dev/tcp/${0%%:*}/${0##*:}"' "$target" 2>/dev/null; echo "$target $?"; } &
done; wait`, int(connectTimeout.Seconds()))

// tryAll returns what became of each source's connection to each target.
func tryAll(addresses map[string]string) (map[string]map[string]string, error) {
	verdicts := make([]map[string]string, len(sources))
	errs := make([]error, len(sources))
	var all sync.WaitGroup
	for i, source := range sources {
		all.Go(func() {
			if source.selector == "" {
				verdicts[i] = fromHost(addresses)
				return
			}
			verdicts[i], errs[i] = fromPod(source.namespace, source.selector, source.container, addresses)
		})
	}
	all.Wait()
	bySource := map[string]map[string]string{}
	for i, source := range sources {
		bySource[source.name] = verdicts[i]
	}
	return bySource, errors.Join(errs...)
}

func fromPod(namespace, selector, container string, addresses map[string]string) (map[string]string, error) {
	pod, err := cloud.Try("kubectl", "-n", namespace, "get", "pods", "-l", selector,
		"--field-selector=status.phase=Running", "-o", "jsonpath={.items[0].metadata.name}")
	if err != nil {
		return nil, err
	}
	args := []string{"-n", namespace, "exec", strings.TrimSpace(pod), "-c", container, "--", "bash", "-c", connect, "-"}
	output, err := cloud.Try("kubectl", append(args, slices.Collect(maps.Values(addresses))...)...)
	if err != nil {
		return nil, err
	}
	verdicts := map[string]string{}
	for target, address := range addresses {
		switch {
		case strings.Contains(output, address+" 0\n"):
			verdicts[target] = made
		case strings.Contains(output, address+" 124\n"):
			verdicts[target] = dropped
		default:
			verdicts[target] = closed
		}
	}
	return verdicts, nil
}

func fromHost(addresses map[string]string) map[string]string {
	var mutex sync.Mutex
	var all sync.WaitGroup
	verdicts := map[string]string{}
	for target, address := range addresses {
		all.Go(func() {
			conn, err := net.DialTimeout("tcp", address, connectTimeout)
			verdict := made
			var late net.Error
			switch {
			case err == nil:
				_ = conn.Close()
			case errors.As(err, &late) && late.Timeout():
				verdict = dropped
			default:
				verdict = closed
			}
			mutex.Lock()
			defer mutex.Unlock()
			verdicts[target] = verdict
		})
	}
	all.Wait()
	return verdicts
}

func compareVerdicts(verdicts map[string]map[string]string) error {
	var problems []error
	for _, source := range sources {
		reaches := strings.Fields(source.reaches)
		for target, got := range verdicts[source.name] {
			want := dropped
			if slices.Contains(reaches, target) {
				want = made
			}
			if got != want {
				problems = append(problems, fmt.Errorf("%s to %s: %q, not %q", source.name, target, got, want))
			}
		}
	}
	return errors.Join(problems...)
}

func verdictTable(verdicts map[string]map[string]string) string {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	head := "to \\ from"
	for _, source := range sources {
		head += "\t" + source.name
	}
	_, _ = fmt.Fprintln(table, head)
	for _, target := range slices.Sorted(maps.Keys(verdicts[sources[0].name])) {
		line := target
		for _, source := range sources {
			line += "\t" + verdicts[source.name][target]
		}
		_, _ = fmt.Fprintln(table, line)
	}
	_ = table.Flush() // a buffer takes everything
	return text.String()
}
