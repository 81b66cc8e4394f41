package hapostgres_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sigs.k8s.io/yaml"

	"agentstack/components/hapostgres"
	"agentstack/internal/pulumitest"
)

// query is one of the exporter's custom queries.
type query struct {
	Name    string                      `json:"name"`
	Query   string                      `json:"query"`
	Primary bool                        `json:"primary"`
	Metrics []map[string]map[string]any `json:"metrics"`
}

// columns returns the sorted names of the columns that become labels, and of those that become values.
func (q query) columns() (labels, values []string) {
	for _, metric := range q.Metrics {
		for column, mapping := range metric {
			if mapping["usage"] == "LABEL" {
				labels = append(labels, column)
			} else {
				values = append(values, column)
			}
		}
	}
	slices.Sort(labels)
	return labels, values
}

func customQueries(t *testing.T, settings hapostgres.Settings) map[string]query {
	t.Helper()
	args := validArgs()
	args.Settings = settings
	recording := pulumitest.Up(t, register(args))
	object := recording.Find(t, clusterType, "ai-agent-db-eu-west-1")
	want := []any{map[string]any{"name": "ai-agent-db-metrics", "key": "queries.yaml"}}
	if got := object.At("spec", "monitoring", "customQueriesConfigMap"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("customQueriesConfigMap = %v, want %v", got, want)
	}
	configMap := recording.Find(t, "kubernetes:core/v1:ConfigMap", "ai-agent-db-eu-west-1-metrics")
	text, _ := configMap.At("data", "queries.yaml").(string)
	queries := map[string]query{}
	if err := yaml.Unmarshal([]byte(text), &queries); err != nil {
		t.Fatalf("decode queries: %v", err)
	}
	return queries
}

// TestQueries runs the queries in the PostgreSQL of the local cloud, as the role that the exporter takes, and wants of
// each the columns that it maps.
func TestQueries(t *testing.T) {
	queries := customQueries(t, hapostgres.Settings{Instances: 5, SynchronousReplicas: 3})
	server := initPostgres(t)
	server.run(t, "CREATE EXTENSION vector;\n\nCREATE TABLE things (id bigint PRIMARY KEY, v vector(3));\n\n"+
		"CREATE INDEX things_v_idx ON things USING hnsw (v vector_cosine_ops);\n\n")
	series := map[string]bool{}
	for key, query := range queries {
		output := server.run(t, "SET ROLE pg_monitor;\n\n"+strings.TrimSpace(query.Query)+";\n\n")
		labels, values := query.columns()
		want := slices.Sorted(slices.Values(slices.Concat(labels, values)))
		if got := columns(output); !slices.Equal(got, want) {
			t.Errorf("%s has the columns %v, want %v\n%s", key, got, want, output)
		}
		for _, value := range values {
			series["cnpg_"+cmp.Or(query.Name, key)+"_"+value+"{"+strings.Join(labels, ",")+"}"] = true
		}
		if strings.Contains(query.Query, "method") && !strings.Contains(output, `method = "hnsw"`) {
			t.Errorf("the method of a vector index is missing in:\n%s", output)
		}
		if strings.Contains(query.Query, "wanted") && !strings.Contains(output, `wanted = "3"`) {
			t.Errorf("the wanted number of replicas is missing in:\n%s", output)
		}
	}
	want := []string{
		"cnpg_ai_agent_indexes_scans{index,table}",
		"cnpg_ai_agent_indexes_size_bytes{index,method,table}",
		"cnpg_ai_agent_replication_synchronous{}",
		"cnpg_ai_agent_replication_wanted{}",
		"cnpg_ai_agent_tables_dead_tuples{table}",
		"cnpg_ai_agent_tables_live_tuples{table}",
		"cnpg_ai_agent_volume_writable{}",
	}
	if got := slices.Sorted(maps.Keys(series)); !slices.Equal(got, want) {
		t.Errorf("series %v, want %v", got, want)
	}
}

// TestPostgresTakesTheParameters starts PostgreSQL with every derived parameter.
func TestPostgresTakesTheParameters(t *testing.T) {
	args := validArgs()
	args.Settings = sized("256Mi", "512Mi", "2Gi")
	parameters, _ := cluster(t, args).At("spec", "postgresql", "parameters").(map[string]any)
	server := initPostgres(t)
	for name, value := range parameters {
		server.settings = append(server.settings, "-c", fmt.Sprintf("%s=%v", name, value))
	}
	if output := server.run(t, "SHOW work_mem;\n\n"); !strings.Contains(output, `work_mem = "2MB"`) {
		t.Errorf("work_mem is not 2048kB:\n%s", output)
	}
}

// postgres is a server of its own for one test, in single-user mode.
type postgres struct {
	bin, dir string
	account  *syscall.Credential
	settings []string
}

func initPostgres(t *testing.T) *postgres {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), "postgresql/usr/lib/postgresql/*/bin"))
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is not in the folder that AGENTSTACK_TOOLS names: run make deps")
	}
	p := &postgres{bin: slices.Max(found), settings: []string{"-c", "fsync=off"}}
	if p.dir, err = os.MkdirTemp("", "agentstack-test-"); err != nil {
		t.Fatalf("make directory: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	if os.Getuid() == 0 {
		p.account = nobody(t)
		if err := os.Chown(p.dir, int(p.account.Uid), int(p.account.Gid)); err != nil {
			t.Fatalf("own directory: %v", err)
		}
	}
	p.execute(t, "", "initdb", "--pgdata", filepath.Join(p.dir, "data"), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	return p
}

// nobody is the user for the server, which refuses to run as root.
func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	account, err := user.Lookup("nobody")
	if err != nil {
		t.Fatalf("find user: %v", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		t.Fatalf("user nobody has the ids %s and %s", account.Uid, account.Gid)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// run runs statements, each of which ends with a semicolon and an empty line, and returns what the server shows.
func (p *postgres) run(t *testing.T, statements string) string {
	t.Helper()
	args := append([]string{"--single", "-j", "-D", filepath.Join(p.dir, "data")}, p.settings...)
	return p.execute(t, statements, "postgres", append(args, "postgres")...)
}

func (p *postgres) execute(t *testing.T, input, program string, args ...string) string {
	t.Helper()
	command := exec.Command(filepath.Join(p.bin, program), args...)
	command.Dir, command.Stdin = p.dir, strings.NewReader(input)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	output, err := command.CombinedOutput()
	// A server in single-user mode goes on after errors.
	if err != nil || bytes.Contains(output, []byte("ERROR:")) {
		t.Fatalf("%s: %v\n%s", program, err, output)
	}
	return string(output)
}

var columnPattern = regexp.MustCompile(`\t *[0-9]+: (\w+)\t`)

// columns returns the sorted names of the columns that the output describes.
func columns(output string) []string {
	names := map[string]bool{}
	for _, match := range columnPattern.FindAllStringSubmatch(output, -1) {
		names[match[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}
