//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"agentstack/app/internal/testenv"
)

// startTimeout bounds the start of a server.
const startTimeout = 30 * time.Second

// program is a server that runs.
type program struct {
	url     string
	process *os.Process
	stop    func()
}

// start runs a program that logs its address when it listens. The log goes to a file, since a pipe would be read by
// whoever makes the load.
func start(t *testing.T, env map[string]string, path string, args ...string) *program {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command := exec.Command(path, args...)
	for name, value := range env {
		command.Env = append(command.Env, name+"="+value)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = command.Process.Kill() // fails only if it has ended
		_ = command.Wait()         // it was killed
	})
	t.Cleanup(stop)
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if addr := listening(t, log.Name()); addr != "" {
			return &program{"http://" + addr, command.Process, stop}
		}
	}
	t.Fatalf("%s does not listen; its log is %s", path, log.Name())
	return nil
}

// listening finds the address in a log.
func listening(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var entry struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" {
			return entry.Addr
		}
	}
	return ""
}

// build compiles the commands as the image has them.
func build(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	command := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", folder,
		"../cmd/agentd", "../cmd/mockllm", "./proxy")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	return folder
}

// setting is everything that agentd needs, with an API key for it.
type setting struct {
	folder    string
	mock      *program
	variables map[string]string
	key       string
}

const signUpToken = "bench-sign-up"

func newSetting(t *testing.T) *setting {
	t.Helper()
	s := &setting{folder: build(t)}
	postgres, redis := testenv.NewPostgres(t), testenv.NewRedisCluster(t)
	s.mock = start(t, map[string]string{"LISTEN_ADDR": "127.0.0.1:0"}, filepath.Join(s.folder, "mockllm"))
	s.variables = map[string]string{
		"LISTEN_ADDR":    "127.0.0.1:0",
		"DATABASE_URL":   postgres.URL(),
		"REDIS_ADDRS":    strings.Join(redis.Addrs(), ","),
		"REDIS_PASSWORD": testenv.Secret,
		"MODELS": fmt.Sprintf(`{"providers":[{"name":"mock","kind":"openai","baseUrl":"%s/v1"}],
			"models":[{"name":"mock*","routes":[{"provider":"mock"}]}]}`, s.mock.url),
		"JWT_KEYS":     strings.Repeat("bench", 10),
		"SIGNUP_TOKEN": signUpToken,
		"CACHE_TTL":    "0s",
	}
	migrate := exec.Command(filepath.Join(s.folder, "agentd"), "migrate")
	migrate.Env = []string{"DATABASE_URL=" + postgres.OwnerURL("postgres")}
	if output, err := migrate.CombinedOutput(); err != nil {
		t.Fatalf("migrate: %v\n%s", err, output)
	}
	s.makeKey(t)
	return s
}

// agentd starts the API and waits until it is ready; some variables are replaced.
func (s *setting) agentd(t *testing.T, replaced map[string]string) (server *program, ready time.Duration) {
	t.Helper()
	variables := maps.Clone(s.variables)
	maps.Copy(variables, replaced)
	began := time.Now()
	server = start(t, variables, filepath.Join(s.folder, "agentd"), "serve")
	for deadline := began.Add(startTimeout); ; time.Sleep(time.Millisecond) {
		response, err := http.Get(server.url + "/ready")
		if err == nil {
			_ = response.Body.Close() // nothing to lose
			if response.StatusCode == http.StatusOK {
				return server, time.Since(began)
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("agentd is not ready")
		}
	}
}

// makeKey signs a tenant up and makes an API key without limits.
func (s *setting) makeKey(t *testing.T) {
	t.Helper()
	server, _ := s.agentd(t, nil)
	defer server.stop()
	const password = "a long enough password"
	post(t, server.url+"/v1/signup", signUpToken,
		`{"email":"bench@example.com","password":"`+password+`","tenant":"bench"}`)
	login := post(t, server.url+"/v1/auth/login", "", `{"email":"bench@example.com","password":"`+password+`"}`)
	key := post(t, server.url+"/v1/api-keys", login["access_token"].(string), `{"name":"bench","scopes":["chat"]}`)
	s.key = key["key"].(string)
}

func post(t *testing.T, url, bearer, body string) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+bearer)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= http.StatusBadRequest {
		t.Fatalf("POST %s: %d %s %v", url, response.StatusCode, data, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// memory returns the resident memory of a process in bytes.
func (p *program) memory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
