package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// NewStandby makes a server that follows this one once both are started. It begins as a copy of this one, which must
// have been shut down in order. Neither serves TLS.
func (p *Postgres) NewStandby(t testing.TB) *Postgres {
	t.Helper()
	standby := &Postgres{bin: p.bin, dir: directory(t)}
	if output, err := exec.Command("cp", "--archive", p.data(), standby.data()).CombinedOutput(); err != nil {
		t.Fatalf("copy data: %v\n%s", err, output)
	}
	standby.Follow(t, p)
	return standby
}

// Follow has a standby that is not running follow another server once it is started.
func (p *Postgres) Follow(t testing.TB, other *Postgres) {
	t.Helper()
	settings := fmt.Sprintf("primary_conninfo = 'user=%s host=%s'\n", Superuser, other.dir)
	for name, content := range map[string]string{"postgresql.auto.conf": settings, "standby.signal": ""} {
		file := filepath.Join(p.data(), name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatalf("write %s: %v", name, err)
		}
		own(t, file)
	}
}
