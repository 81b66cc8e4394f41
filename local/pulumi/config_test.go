package pulumi

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"agentstack/local/cluster/topology"
)

func workspace(t *testing.T, octet int, project string) Workspace {
	t.Helper()
	w := Workspace{
		Instance: topology.Instance{Name: "e2e", Dir: t.TempDir(), Octet: octet, RegionNames: []string{"local-1"}},
		Program:  t.TempDir(),
	}
	if err := os.MkdirAll(filepath.Dir(w.ConfigFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Program, "Pulumi.local.yaml"), []byte(project), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

const project = `config:
  agentstack:config:
    image: {repository: 10.200.0.2:5000/api}
    replicas: 3
`

func written(t *testing.T, w Workspace) map[string]any {
	t.Helper()
	if err := w.WriteConfig(); err != nil {
		t.Fatal(err)
	}
	values, err := readConfig(w.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestTheInstancesRegistryTakesThePlace(t *testing.T) {
	w := workspace(t, 207, project)
	written(t, w)
	content, err := os.ReadFile(w.ConfigFile())
	if err != nil || !strings.Contains(string(content), "repository: 10.207.0.2:5000/api") {
		t.Errorf("%s, %v", content, err)
	}
}

func TestSaltAndSecretsStayAndTheProjectsFileWins(t *testing.T) {
	w := workspace(t, 200, project)
	earlier := `encryptionsalt: v1:salt
config:
  agentstack:jwtKeys: {secure: v1:sealed}
  agentstack:config: {replicas: 99}
`
	if err := os.WriteFile(w.ConfigFile(), []byte(earlier), 0o600); err != nil {
		t.Fatal(err)
	}
	got := written(t, w)
	want := map[string]any{
		"encryptionsalt": "v1:salt",
		"config": map[string]any{
			"agentstack:jwtKeys": map[string]any{"secure": "v1:sealed"},
			"agentstack:config": map[string]any{
				"image": map[string]any{"repository": "10.200.0.2:5000/api"}, "replicas": float64(3),
			},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if again := written(t, w); !reflect.DeepEqual(again, want) {
		t.Errorf("the second write gave %v", again)
	}
}

func TestWhoGetsTheInstancesConfiguration(t *testing.T) {
	w := workspace(t, 200, project)
	cases := map[string]bool{
		"up --yes":                    true,
		"preview --stack local":       true,
		"config set key value":        true,
		"preview --stack staging":     false,
		"preview --stack=staging":     false,
		"preview -s staging":          false,
		"up --config-file other.yaml": false,
		"stack output":                false,
		"":                            false,
	}
	for line, want := range cases {
		args := w.withConfigFile(strings.Fields(line))
		if got := strings.Contains(strings.Join(args, " "), w.ConfigFile()); got != want {
			t.Errorf("%q became %v", line, args)
		}
	}
}

func TestOnlyADeadHoldersLockIsCleared(t *testing.T) {
	lock := func(pid string) string {
		path := filepath.Join(t.TempDir(), "lock.json")
		if err := os.WriteFile(path, []byte(`{"pid":`+pid+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := deadLock(lock("1")); err == nil || !strings.Contains(err.Error(), "process 1") {
		t.Errorf("a living holder gave %v", err)
	}
	if err := syscall.Kill(1<<22-1, 0); err == nil {
		t.Skip("a process has the highest number there is")
	}
	if err := deadLock(lock("4194303")); err != nil {
		t.Errorf("a dead holder gave %v", err)
	}
	if err := deadLock(lock(`"x"`)); err == nil {
		t.Error("a broken lock was taken for dead")
	}
}

func TestEachVariableIsInTheEnvironmentOnce(t *testing.T) {
	t.Setenv("KUBECONFIG", "/theirs")
	var found []string
	for _, assignment := range Environ("KUBECONFIG=/ours") {
		if strings.HasPrefix(assignment, "KUBECONFIG=") {
			found = append(found, assignment)
		}
	}
	if !reflect.DeepEqual(found, []string{"KUBECONFIG=/ours"}) {
		t.Errorf("got %v", found)
	}
}
