package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"

	"agentstack/app/internal/backup"
	"agentstack/app/internal/testenv"
)

func TestDamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.template1(t)
	manifest := v.backUp(t)
	dumpKey, manifestKey := backupPrefix+"/"+manifest.ID+"/dump", backupPrefix+"/"+manifest.ID+"/manifest.json"
	dump, encoded := v.object(t, dumpKey), v.object(t, manifestKey)
	rewrite := func(change func(*backup.Manifest)) []byte {
		changed := manifest
		changed.Tables = slices.Clone(manifest.Tables)
		change(&changed)
		content, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	flipped := bytes.Clone(dump)
	flipped[len(flipped)/2] ^= 1
	for name, test := range map[string]struct {
		dump, manifest []byte
		reason         string
	}{
		"flipped bit":    {flipped, encoded, "is damaged"},
		"cut off":        {dump[:len(dump)-1], encoded, "is damaged"},
		"longer":         {append(bytes.Clone(dump), 0), encoded, "is damaged"},
		"not an archive": {[]byte("hello"), encoded, "is damaged"},
		"other rows":     {dump, rewrite(func(m *backup.Manifest) { m.Tables[0].Rows++ }), "differs from backup"},
		"other values": {
			dump, rewrite(func(m *backup.Manifest) { m.Tables[0].Checksum = "1" }), "differs from backup",
		},
		"table missing in the dump": {dump, rewrite(func(m *backup.Manifest) {
			m.Tables = append(m.Tables, backup.Table{Schema: "public", Name: "lost"})
		}), "table public.lost is missing"},
		"table missing in the manifest": {
			dump, rewrite(func(m *backup.Manifest) { m.Tables = m.Tables[1:] }), "is not in the backup",
		},
		"manifest cut off": {dump, encoded[:len(encoded)/2], "decode manifest"},
		"newer format":     {dump, rewrite(func(m *backup.Manifest) { m.Format = 2 }), "format 2"},
		"manifest of another backup": {
			dump, rewrite(func(m *backup.Manifest) { m.ID = otherID }), "the manifest of backup",
		},
		"unknown owner": {dump, rewrite(func(m *backup.Manifest) { m.Owner = "nobody" }), `"nobody" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			v.putObject(t, dumpKey, test.dump)
			v.putObject(t, manifestKey, test.manifest)
			v.refuse(t, manifest.ID, "copy", test.reason)
		})
	}
	v.putObject(t, dumpKey, dump)
	v.putObject(t, manifestKey, encoded)
	v.restore(t, manifest.ID, "copy", manifest)
}

func TestRestoreSaysWhichExtensionIsMissing(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	manifest := v.backUp(t)
	v.refuse(t, manifest.ID, "copy", `make it in the database template1`)
	v.exec(t, testenv.Superuser, "postgres", "CREATE DATABASE copy_restoring")
	v.refuse(t, manifest.ID, "copy", "database copy_restoring exists")
}

func TestKilledBackupDoesNotExist(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	agentd := v.running(t)
	if err := agentd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := agentd.Wait(); err == nil {
		t.Error("agentd succeeded")
	}
	if ids, keys := v.ids(t), v.keys(t); len(ids)+len(keys) != 0 {
		t.Errorf("backups %v, objects %v", ids, keys)
	}
	v.refuse(t, backup.Latest, "copy", "there is no backup")
}

func TestStoppedBackupCleansUp(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	agentd := v.running(t)
	if err := agentd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := agentd.Wait(); agentd.ProcessState.ExitCode() != exitFailure {
		t.Errorf("agentd ended with %v", err)
	}
	if keys, uploads := v.keys(t), v.uploads(t); len(keys)+len(uploads) != 0 {
		t.Errorf("objects %v, uploads %v", keys, uploads)
	}
	eventually(t, "the sessions end", func() bool {
		return len(v.query(t, "postgres",
			"SELECT application_name FROM pg_stat_activity WHERE usename = 'ai_agent_backup'")) == 0
	})
}

func TestFailingBackup(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	stopped := testenv.NewObjectStore(t)
	stopped.Stop()
	v.exec(t, testenv.Superuser, "postgres", "CREATE ROLE stranger LOGIN")
	script := func(text string) string { return v.pgDump(t, text) }
	half := script(`$PG_DUMP "$@" | head -c 1000; echo 'pg_dump: error: the disk is on fire' >&2; exit 1`)
	elsewhere, asStranger := v.postgres.URLOf(backupRole, "other"), v.postgres.URLOf("stranger", sourceDatabase)
	otherCA := filepath.Join(t.TempDir(), "ca.crt")
	testenv.NewAuthority(t).WriteFile(t, otherCA)
	impostor := v.postgres.TLSURL(backupRole, sourceDatabase, otherCA)
	for name, test := range map[string]struct{ variable, value, reason string }{
		"pg_dump fails half-way":    {"PATH", half, "exit status 1: pg_dump: error: the disk is on fire"},
		"pg_dump fails at once":     {"PATH", script("echo no >&2; exit 3"), "exit status 3: no"},
		"pg_dump is killed":         {"PATH", script("echo some; kill -9 $$"), "signal: killed"},
		"no pg_dump":                {"PATH", "/nowhere", "executable file not found"},
		"store unreachable":         {"S3_ENDPOINT", stopped.URL(), "connection refused"},
		"no such bucket":            {"S3_BUCKET", "other-bucket", "bucket does not exist"},
		"wrong key":                 {"AWS_SECRET_ACCESS_KEY", "wrong", "signature"},
		"no such database":          {"DATABASE_URL", elsewhere, `database "other" does not exist`},
		"role that sees too little": {"DATABASE_URL", asStranger, "permission denied"},
		"another authority":         {"DATABASE_URL", impostor, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			r := v.run(t, map[string]string{test.variable: test.value}, "backup")
			if r.code != exitFailure || !strings.Contains(r.stderr, test.reason) {
				t.Errorf("exit code %d, want %d and %q in:\n%s", r.code, exitFailure, test.reason, r.stderr)
			}
			if keys, uploads := v.keys(t), v.uploads(t); len(keys)+len(uploads) != 0 {
				t.Errorf("objects %v, uploads %v", keys, uploads)
			}
		})
	}
}

// pgDump makes a folder with a pg_dump that is a shell script; $PG_DUMP is the real one.
func (v *vault) pgDump(t *testing.T, script string) (path string) {
	t.Helper()
	path = t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\nPG_DUMP=%s/pg_dump\n[ \"$1\" = --version ] && exec $PG_DUMP --version\n%s\n",
		v.postgres.Programs(), script)
	if err := os.WriteFile(filepath.Join(path, "pg_dump"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path + ":" + v.postgres.Programs() + ":/bin:/usr/bin"
}

// running is an agentd that has stored the first part of a dump that never ends.
func (v *vault) running(t *testing.T) *exec.Cmd {
	t.Helper()
	path := v.pgDump(t, "head -c 40000000 /dev/zero; exec sleep 1000")
	command := v.command(map[string]string{"PATH": path}, "backup")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Stderr = t.Output()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }) // what is left of its pg_dump
	core := minio.Core{Client: v.store.Client}
	eventually(t, "a part is stored", func() bool {
		for upload := range v.store.Client.ListIncompleteUploads(t.Context(), testenv.Bucket, "", true) {
			if upload.Err != nil {
				t.Fatal(upload.Err)
			}
			parts, err := core.ListObjectParts(t.Context(), testenv.Bucket, upload.Key, upload.UploadID, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(parts.ObjectParts) > 0 {
				return true
			}
		}
		return false
	})
	return command
}
