//go:build e2e

package chaos

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

// Volumes of an instance.
const (
	dataVolume = "data"
	walVolume  = "wal"
)

// disk is a small file system over the folder of one of the primary's volumes.
type disk struct {
	t                       *testing.T
	instance, folder, image string
}

// ownDisk puts a volume of the primary on a file system of its own. When the test ends the instance is made anew.
func ownDisk(t *testing.T, volume string) *disk {
	t.Helper()
	const size = 1 << 30 // bytes
	instance, err := cloud.Primary()
	if err != nil {
		t.Fatal(err)
	}
	claim := instance
	if volume == walVolume {
		claim += "-wal"
	}
	claimed := cloud.Kubectl(t, "get", "pvc", claim, "-o", "jsonpath={.spec.volumeName}")
	d := &disk{
		t: t, instance: instance,
		folder: cloud.Command(t, "kubectl", "get", "pv", claimed, "-o",
			"jsonpath={.spec.hostPath.path}{.spec.local.path}"),
		image: filepath.Join(cloud.InstanceDir(), "chaos.img"),
	}
	scaleOperator(t, 0)
	t.Cleanup(d.replace)
	cloud.Kubectl(t, "delete", "pod", instance)
	file, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(size), file.Close()); err != nil {
		t.Fatal(err)
	}
	filled := t.TempDir()
	host(t, "mkfs.ext4", "-q", "-m", "0", d.image)
	host(t, "mount", "-o", "loop", d.image, filled)
	host(t, "cp", "-a", d.folder+"/.", filled)
	host(t, "umount", filled)
	host(t, "mount", "-o", "loop,errors=remount-ro", d.image, d.folder)
	scaleOperator(t, operators)
	cloud.Eventually(t, cloud.SettleTimeout, "PostgreSQL is whole", cloud.PostgresWhole)
	promote(t, instance)
	return d
}

// promote makes an instance the primary, as `kubectl cnpg promote` does.
func promote(t *testing.T, instance string) {
	t.Helper()
	wish, err := json.Marshal(map[string]any{"status": map[string]string{
		"targetPrimary": instance, "targetPrimaryTimestamp": time.Now().UTC().Format(time.RFC3339Nano),
		"phase": "Switchover in progress", "phaseReason": "chaos",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := cloud.Primary(); err == nil && now == instance {
		return
	}
	cloud.Kubectl(t, "patch", cloud.Database, "--subresource=status", "--type=merge", "-p", string(wish))
	cloud.Eventually(t, cloud.SettleTimeout, instance+" is primary again", func() error {
		return cloud.Matches(cloud.Database, "{.status.currentPrimary}", instance)
	})
}

// replace deletes the instance with its volumes, whereupon the operator makes another one. The second time it does
// nothing.
func (d *disk) replace() {
	d.t.Helper()
	if d.folder == "" {
		return
	}
	scaleOperator(d.t, 0)
	cloud.Kubectl(d.t, "delete", "pvc", d.instance, d.instance+"-wal", "--wait=false")
	cloud.Kubectl(d.t, "delete", "pod", d.instance, "--ignore-not-found", "--grace-period=1")
	cloud.Eventually(d.t, cloud.SettleTimeout, "the disk is taken away", func() error {
		return exec.Command("umount", d.folder).Run()
	})
	if err := os.Remove(d.image); err != nil {
		d.t.Error(err)
	}
	d.folder = ""
	scaleOperator(d.t, operators)
}

// host runs a command on the host.
func host(t *testing.T, name string, args ...string) {
	t.Helper()
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, output)
	}
}
