package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"agentstack/app/internal/backup"
	"agentstack/app/internal/testenv"
)

// otherID is the id of no backup.
const otherID = "20260101T000000.000Z-aaaaaaaa"

// template1 gives new databases the extension that only a superuser can make, as pgvector is.
func (v *vault) template1(t *testing.T) {
	t.Helper()
	v.exec(t, testenv.Superuser, "template1", "CREATE EXTENSION bloom")
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.template1(t)
	manifest := v.backUp(t)
	if want := []string{
		backupPrefix + "/" + manifest.ID + "/dump", backupPrefix + "/" + manifest.ID + "/manifest.json",
	}; !slices.Equal(v.keys(t), want) {
		t.Errorf("objects: %v, want %v", v.keys(t), want)
	}
	checkManifest(t, manifest)
	// The text form of values must not depend on settings.
	for _, setting := range []string{
		"TimeZone TO 'Asia/Tokyo'", "DateStyle TO 'SQL, DMY'", "IntervalStyle TO 'iso_8601'",
		"bytea_output TO 'escape'", "extra_float_digits TO '-5'", "search_path TO 'nowhere'",
		"default_transaction_isolation TO 'serializable'",
	} {
		v.exec(t, testenv.Superuser, "postgres", "ALTER ROLE "+backupRole+" SET "+setting)
	}
	v.restore(t, backup.Latest, "restored", manifest)
	for name, query := range map[string]string{
		"owners": `SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class
			WHERE relname IN ('values', 'view', 'child')`,
		"comment":       `SELECT obj_description('"values"'::regclass)`,
		"indexes":       "SELECT count(*)::text FROM pg_indexes WHERE schemaname = 'public'",
		"sequence":      "SELECT last_value::text FROM values_id_seq",
		"policy":        "SELECT polrelid::regclass || ' ' || polname FROM pg_policy ORDER BY 1",
		"extensions":    "SELECT extname::text FROM pg_extension ORDER BY 1",
		"large objects": "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata",
		"view":          "SELECT count(*)::text FROM counted",
	} {
		want, got := v.query(t, sourceDatabase, query), v.query(t, "restored", query)
		if !slices.Equal(want, got) || len(want) == 0 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if owner := v.query(t, "restored", `SELECT pg_get_userbyid(datdba)::text FROM pg_database
		WHERE datname = 'restored'`); !slices.Equal(owner, []string{testenv.Owner}) {
		t.Errorf("the database belongs to %v", owner)
	}
	// The application goes on with it as the role that it logs in as.
	v.exec(t, testenv.OtherLogin, "restored", "INSERT INTO counters VALUES (51, 0)")
	v.refuse(t, backup.Latest, "restored", "database restored exists")
	v.refuse(t, backup.Latest, sourceDatabase, "database app exists")
	v.refuse(t, otherID, "other", "there is no backup")
}

func checkManifest(t *testing.T, m backup.Manifest) {
	t.Helper()
	if m.Database != sourceDatabase || m.Owner != testenv.Owner || m.SchemaVersion == nil ||
		*m.SchemaVersion != migrations || m.ServerVersion == "" || m.PgDumpVersion == "" ||
		m.AgentdVersion != version || m.Size == 0 || m.StartedAt.After(m.FinishedAt) {
		t.Errorf("manifest: %+v", m)
	}
	rows, checksums := map[string]int64{}, map[string]string{}
	for _, table := range m.Tables {
		rows[table.String()], checksums[table.String()] = table.Rows, table.Checksum
	}
	for name, want := range map[string]int64{
		"public.values": 3, "public.empty": 0, "public.no_columns": 2, "public.measurements_old": 30,
		"public.measurements_new": 30, "public.parent": 1, "public.child": 1, "public.hidden": 2, "public.unlogged": 1,
		`Sche"ma; DROP.ta"ble 'x' %s $1 Ünï`: 100, "public.exchanges": 0, "public.counters": 50,
		"public.goose_db_version": migrations + 1,
	} {
		if got, found := rows[name]; !found || got != want {
			t.Errorf("%s has %d rows (in the manifest: %t), want %d", name, got, found, want)
		}
		if (checksums[name] == "0") != (want == 0) {
			t.Errorf("%s has checksum %s", name, checksums[name])
		}
	}
	if len(rows) != 24 { // with the application's other tables, which are empty
		t.Errorf("tables: %v", rows)
	}
}

func TestBackupWhileWritten(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.template1(t)
	stop, writes := make(chan struct{}), 0
	written := make(chan struct{}, 1)
	var writer sync.WaitGroup
	connection := v.connect(t, testenv.Login, sourceDatabase)
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			// The sum over all counters is 0 at every moment.
			_, err := connection.Exec(t.Context(), `WITH moved AS (UPDATE counters SET n = n + 1 WHERE id = $1)
				UPDATE counters SET n = n - 1 WHERE id = $2`, i%49+1, 50)
			if err != nil {
				t.Errorf("write: %v", err)
				return
			}
			writes++
			select {
			case written <- struct{}{}:
			default:
			}
		}
	})
	<-written
	var ids []string
	for range 3 {
		ids = append(ids, v.backUp(t).ID)
	}
	close(stop)
	writer.Wait()
	for i, id := range ids {
		database := fmt.Sprintf("copy_%d", i)
		v.restore(t, id, database, v.manifest(t, id))
		if sum := v.query(t, database, "SELECT sum(n)::text FROM counters"); !slices.Equal(sum, []string{"0"}) {
			t.Errorf("%s: the counters' sum is %v", database, sum)
		}
	}
	distinct := map[string]bool{}
	for _, id := range ids {
		for _, table := range v.manifest(t, id).Tables {
			if table.Name == "counters" {
				distinct[table.Checksum] = true
			}
		}
	}
	if len(distinct) != len(ids) {
		t.Errorf("%d of %d backups differ after %d writes", len(distinct), len(ids), writes)
	}
}

func TestTwoBackupsAtOnce(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.template1(t)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if r := v.run(t, nil, "backup"); r.code != exitOK {
				t.Errorf("exit code %d:\n%s", r.code, r.stderr)
			}
		})
	}
	group.Wait()
	ids := v.ids(t)
	if len(ids) != 2 {
		t.Fatalf("backups: %v", ids)
	}
	for i, id := range ids {
		group.Go(func() { v.restore(t, id, fmt.Sprintf("copy_%d", i), v.manifest(t, id)) })
	}
	group.Wait()
}

// TestRetention ages copies of a backup.
func TestRetention(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	manifest := v.backUp(t)
	aged := func(days int, complete bool) string {
		old := manifest
		old.FinishedAt = time.Now().Add(-time.Duration(days) * 24 * time.Hour)
		old.ID = old.FinishedAt.UTC().Format("20060102T150405.000Z") + "-aaaaaaaa"
		v.putObject(t, backupPrefix+"/"+old.ID+"/dump", []byte("old"))
		if !complete {
			return old.ID
		}
		encoded, err := json.Marshal(old)
		if err != nil {
			t.Fatal(err)
		}
		v.putObject(t, backupPrefix+"/"+old.ID+"/manifest.json", encoded)
		return old.ID
	}
	aged(40, true)
	aged(31, true)
	aged(2, false)
	kept := []string{aged(29, true), manifest.ID}
	running := aged(0, false)
	v.putObject(t, "backups/application/readme", []byte("not ours"))
	v.putObject(t, backupPrefix+"/readme", []byte("not ours"))
	if r := v.run(t, map[string]string{"BACKUP_RETENTION": "30d"}, "backup"); r.code != exitOK {
		t.Fatalf("exit code %d:\n%s", r.code, r.stderr)
	}
	ids := v.ids(t)
	if len(ids) != 3 || !slices.Equal(ids[:2], kept) {
		t.Errorf("backups %v, want %v and a new one", ids, kept)
	}
	want := []string{"backups/application/readme", backupPrefix + "/readme", backupPrefix + "/" + running + "/dump"}
	for _, id := range ids {
		want = append(want, backupPrefix+"/"+id+"/dump", backupPrefix+"/"+id+"/manifest.json")
	}
	slices.Sort(want)
	if keys := v.keys(t); !slices.Equal(keys, want) {
		t.Errorf("objects:\n%s\nwant:\n%s", strings.Join(keys, "\n"), strings.Join(want, "\n"))
	}
}

func TestBackupUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no backup given":   {[]string{"restore", "--database", "copy"}, "give --backup and --database"},
		"no database given": {[]string{"restore", "--backup", "latest"}, "give --backup and --database"},
		"unknown flag":      {[]string{"restore", "--force"}, "not defined: -force"},
		"odd database": {
			[]string{"restore", "--backup", "latest", "--database", "host=elsewhere"}, "cannot be the name",
		},
		"extra argument":  {[]string{"backup", "now"}, `unexpected argument "now"`},
		"install nowhere": {[]string{"install"}, "give the folder"},
	} {
		var stdout, stderr buffer
		code := process{lookup(nil), &stdout, &stderr}.run(t.Context(), test.args)
		if code != exitUsage || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%s: exit code %d, want %d and %q in:\n%s", name, code, exitUsage, test.want, stderr.String())
		}
	}
}

func TestBackupConfigurationErrors(t *testing.T) {
	for _, args := range [][]string{
		{"backup"}, {"backups"}, {"restore", "--backup", "latest", "--database", "copy"},
	} {
		var output buffer
		code := process{lookup(map[string]string{
			"DATABASE_URL":          "mysql://user:" + testenv.Secret + "@host/db",
			"S3_ENDPOINT":           "s3.example.com/" + testenv.Secret,
			"S3_PREFIX":             "/backups/",
			"AWS_SECRET_ACCESS_KEY": testenv.Secret,
			"BACKUP_RETENTION":      "30 days",
			"LOG_LEVEL":             "loud",
		}), &output, &output}.run(t.Context(), args)
		for _, name := range []string{
			"DATABASE_URL", "S3_ENDPOINT", "S3_REGION", "S3_BUCKET", "S3_PREFIX", "AWS_ACCESS_KEY_ID",
			"BACKUP_RETENTION", "LOG_LEVEL",
		} {
			if code != exitUsage || !strings.Contains(output.String(), "\n"+name+": ") {
				t.Errorf("%v: exit code %d, %s is not reported in:\n%s", args, code, name, output.String())
			}
		}
		if strings.Contains(output.String(), testenv.Secret) {
			t.Errorf("a password is shown:\n%s", output.String())
		}
	}
}
