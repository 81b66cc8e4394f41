package toolchain

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var local = Builder{Source: ".."}

func TestToolsAreWhole(t *testing.T) {
	names, binaries := map[string]bool{}, map[string]bool{}
	for _, tool := range Tools {
		require.NotContains(t, names, tool.Name)
		names[tool.Name] = true
		require.FileExists(t, filepath.Join(local.Source, tool.Dir, "go.mod"), tool.Name)
		require.NotEmpty(t, tool.Binaries, tool.Name)
		for _, binary := range tool.Binaries {
			require.NotContains(t, binaries, binary)
			binaries[binary] = true
		}
		if len(tool.Blank)+len(tool.Assets) > 0 {
			require.NotEmpty(t, tool.Module, "%s: blank files and assets belong to a module", tool.Name)
		}
	}
}

func TestKeyDependsOnWhatIsBuilt(t *testing.T) {
	tool, err := Find("promtool")
	require.NoError(t, err)
	base, err := local.key(tool)
	require.NoError(t, err)
	changes := map[string]func(*Tool){
		"flags": func(t *Tool) { t.LDFlags += " -X main.version=2" },
		"tags":  func(t *Tool) { t.Tags = nil },
		"blank": func(t *Tool) { t.Blank = []string{"web/ui/index.html"} },
		"pins":  func(t *Tool) { t.Dir = "toolchain/etcd" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			changed := tool
			change(&changed)
			key, err := local.key(changed)
			require.NoError(t, err)
			require.NotEqual(t, base, key)
		})
	}
}

// Alertmanager embeds its web interface, which its module lacks.
func TestPatchAddsBlankFiles(t *testing.T) {
	tool, err := Find("alertmanager")
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, local.patch(t.Context(), tool, folder))

	list := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.EmbedFiles}}", tool.Module+"/ui")
	list.Dir = folder
	list.Env = append(os.Environ(), "GOWORK=off")
	embedded, err := list.CombinedOutput()
	require.NoError(t, err, string(embedded))
	require.Equal(t, "[app/dist/index.html]", strings.TrimSpace(string(embedded)))
}

// CloudNativePG's manifest is one file, Envoy Gateway's definitions are those of a folder.
func TestAssetsAreKept(t *testing.T) {
	for binary, want := range map[string]int{"manager": 1, "envoy-gateway": 9} {
		tool, err := Find(binary)
		require.NoError(t, err)
		folder := filepath.Join(t.TempDir(), "assets")
		require.NoError(t, local.CopyAssets(t.Context(), tool, folder))
		files, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.Len(t, files, want, binary)

		tool.Assets = append(tool.Assets, "no/such/*.yaml")
		require.ErrorContains(t, local.CopyAssets(t.Context(), tool, folder), "no/such/*.yaml")
	}
}
