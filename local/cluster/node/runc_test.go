package node

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"agentstack/local/cluster/topology"
)

// bundle is a container's configuration in the form in which containerd writes it.
const bundle = `{"process":{"env":["A=\"source\":\"/var/log/pods\""]},"mounts":[` +
	`{"destination":"/logs","type":"bind","source":"/var/log/pods","options":["rbind","ro"]},` +
	`{"destination":"/one","type":"bind","source":"/var/log/pods/one"},` +
	`{"destination":"/other","type":"bind","source":"/var/log/pods-other"},` +
	`{"destination":"/var/log/pods","type":"tmpfs","source":"tmpfs"}]}`

func TestRuncShowsTheNodesOwnLogs(t *testing.T) {
	own := []string{"NODE/pod-logs", "NODE/pod-logs/one", "/var/log/pods-other", "tmpfs"}
	machines := []string{"/var/log/pods", "/var/log/pods/one", "/var/log/pods-other", "tmpfs"}
	cases := map[string]struct {
		args []string
		want []string
	}{
		"create": {[]string{"--root", "/state", "create", "--bundle", "BUNDLE", "--pid-file", "/pid", "id"}, own},
		"start":  {[]string{"--root", "/state", "start", "id"}, machines},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			m := machine{Node: topology.Node{Dir: t.TempDir()}, Runc: "/bin/echo"}
			_, err := writeFiles(m)
			require.NoError(t, err)
			folder := t.TempDir()
			config := filepath.Join(folder, "config.json")
			require.NoError(t, os.WriteFile(config, []byte(bundle), 0o600))
			args := strings.Split(strings.ReplaceAll(strings.Join(test.args, " "), "BUNDLE", folder), " ")

			out, err := exec.CommandContext(t.Context(), m.Path("runc.sh"), args...).CombinedOutput()

			require.NoError(t, err, string(out))
			require.Equal(t, strings.Join(args, " ")+"\n", string(out), "what the real runc is called with")
			env, sources := readBundle(t, config)
			require.Equal(t, []string{`A="source":"/var/log/pods"`}, env)
			for i, want := range test.want {
				require.Equal(t, strings.ReplaceAll(want, "NODE", m.Dir), sources[i])
			}
		})
	}
}

func TestRuncFailsWithoutBundle(t *testing.T) {
	m := machine{Node: topology.Node{Dir: t.TempDir()}, Runc: "/bin/echo"}
	_, err := writeFiles(m)
	require.NoError(t, err)
	create := exec.CommandContext(t.Context(), m.Path("runc.sh"), "create", "--bundle", m.Path("none"))
	out, err := create.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "config.json")
}

func TestRuncPassesShellcheck(t *testing.T) {
	m := machine{Node: topology.Node{Dir: t.TempDir()}, Runc: runc}
	_, err := writeFiles(m)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "shellcheck", "--shell=sh", m.Path("runc.sh")).CombinedOutput()
	require.NoError(t, err, string(out))
}

func readBundle(t *testing.T, path string) (env, sources []string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var config struct {
		Process struct{ Env []string }
		Mounts  []struct{ Source string }
	}
	require.NoError(t, json.Unmarshal(content, &config))
	for _, m := range config.Mounts {
		sources = append(sources, m.Source)
	}
	return config.Process.Env, sources
}
