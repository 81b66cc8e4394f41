package pulumi

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlaceholdersStandForSealedAndMissingSecrets(t *testing.T) {
	const project = `encryptionsalt: v1:salt
config:
  agentstack:providerKeys: {openai: {secure: v1:sealed}}
  agentstack:registryPassword: {secure: v1:sealed}
  agentstack:config:
    list: [{secure: v1:sealed}, plain]
    models: {providers: [{name: openai}, {name: own}, malformed]}
`
	program, dir := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(program, "Pulumi.s.yaml"), []byte(project), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "project"), 0o700))
	p := Preview{Program: program, Stack: "s"}
	secrets, err := p.writeConfig(p.home(dir))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"agentstack:alertWebhookUrl": placeholder, "agentstack:registryPassword": placeholder,
		"agentstack:providerKeys": `{"openai":"` + placeholder + `","own":"` + placeholder + `"}`,
	}, secrets)
	got, err := readConfig(p.home(dir).configFile())
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"config": map[string]any{
		"agentstack:config": map[string]any{"list": []any{placeholder, "plain"}, "models": map[string]any{
			"providers": []any{map[string]any{"name": "openai"}, map[string]any{"name": "own"}, "malformed"},
		}},
	}}, got)
}

// tools gives the CLI and the language host of AGENTSTACK_TOOLS, and builds the plugins.
func tools(t *testing.T) func(string) (string, error) {
	t.Helper()
	folder := os.Getenv("AGENTSTACK_TOOLS")
	require.NotEmpty(t, folder, "AGENTSTACK_TOOLS names no folder with pulumi and pulumi-language-go; run `make test`")
	local, err := filepath.Abs("..")
	require.NoError(t, err)
	built := t.TempDir()
	return func(name string) (string, error) {
		plugin, ok := strings.CutPrefix(name, "pulumi-resource-")
		if !ok {
			return filepath.EvalSymlinks(filepath.Join(folder, name))
		}
		path := filepath.Join(built, name)
		build := exec.Command("go", "build", "-o", path, "./plugins/"+plugin+"/cmd/"+name)
		build.Dir = local
		output, err := build.CombinedOutput()
		if err != nil {
			return "", errors.New(string(output))
		}
		return path, nil
	}
}

// copied is a copy of the test's program outside the work tree, where Pulumi may add to go.sum. It is built with the
// versions of this module.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "program"))))
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir
}

func TestPreviewThroughTheRealEngine(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "KUBECONFIG", "DOCKER_HOST"} {
		t.Setenv(name, "")
	}
	binary := tools(t)
	run := func(p Preview) (string, error) {
		var out bytes.Buffer
		p.Stack, p.Binary = "staging", binary
		err := p.Run(t.Context(), &out)
		return out.String(), err
	}
	program := copied(t)

	t.Run("tree", func(t *testing.T) {
		out, err := run(Preview{Program: program})
		require.NoError(t, err, out)
		assert.Regexp(t, `└─ test:index:Region +us-east-1 +create\n   ├─ aws:ec2:Vpc +network +create\n`, out)
		assert.Regexp(t, `kubernetes:core/v1:Namespace +made +create`, out, "a cluster that is not made yet")
		assert.Regexp(t, `kubernetes:helm.sh/v3:Release +made +create`, out)
		assert.Contains(t, out, "simulation of AWS in us-east-1")
		assert.Equal(t, 1, strings.Count(out, "the Kubernetes cluster is unreachable"), "one line a provider:\n%s", out)
		assert.Contains(t, out, `context "nowhere" does not exist`)
		assert.True(t, strings.HasSuffix(out, "Resources:\n    + 10 to create\n"), out)
	})
	t.Run("policies", func(t *testing.T) {
		pack, err := filepath.Abs(filepath.Join("testdata", "pack"))
		require.NoError(t, err)
		out, err := run(Preview{Program: program, Pack: pack})
		exit := new(exec.ExitError)
		require.ErrorAs(t, err, &exit, out)
		assert.Contains(t, out, "stay here")
		assert.Regexp(t, `\[mandatory\] +not-away +\(kubernetes:core/v1:Namespace: away\)`, out)
	})
	t.Run("bad input, and arguments of one's own", func(t *testing.T) {
		config := filepath.Join(program, "Pulumi.staging.yaml")
		require.NoError(t, os.WriteFile(config, []byte(
			"config: {agentstack:cidr: 10.0.0.1/16, agentstack:providerKeys: {secure: v1:sealed:elsewhere}}\n"), 0o600))
		out, err := run(Preview{Program: program, Args: []string{"--color=never"}})
		require.Error(t, err, out)
		assert.Contains(t, out, "cidrBlock \"10.0.0.1/16\" is given; the network's address is 10.0.0.0/16")
	})
}
