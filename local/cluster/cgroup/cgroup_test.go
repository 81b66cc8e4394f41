package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnter has a process of its own enter a group, since a test cannot leave one.
func TestEnter(t *testing.T) {
	const variable = "CGROUP_TEST_ENTERS"
	if path := os.Getenv(variable); path != "" {
		if err := Enter(path); err != nil {
			t.Fatal(err)
		}
		// What it starts is there too.
		output, err := exec.Command("cat", "/proc/self/cgroup").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		fmt.Print(string(output))
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("not root: no cgroup can be made")
	}
	top := fmt.Sprintf("/agentstack-test-%d", os.Getpid())
	path := top + "/system"
	t.Cleanup(func() {
		if err := Remove(top); err != nil {
			t.Error(err)
		}
	})
	command := exec.Command(os.Args[0], "-test.run", "^TestEnter$")
	command.Env = append(os.Environ(), variable+"="+path)
	output, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(output), path+"\n") {
		t.Errorf("error %v, the process is in\n%s", err, output)
	}
	dirs, err := roots()
	if err != nil {
		t.Fatal(err)
	}
	weights := 0
	for _, root := range dirs {
		for file, unit := range weightUnits {
			content, err := os.ReadFile(filepath.Join(root, path, file))
			if err == nil && strings.TrimSpace(string(content)) == fmt.Sprint(systemWeight*unit) {
				weights++
			}
		}
	}
	if weights != 1 {
		t.Errorf("%d weights are set", weights)
	}
}
