//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

// agentdJob makes a Job like those of the backup's CronJob, with other arguments and without a second try.
func agentdJob(t *testing.T, name string, args ...string) {
	t.Helper()
	made := cloud.Kubectl(t, "create", "job", name, "--from=cronjob/ai-agent-backup", "--dry-run=client", "-o", "json")
	var job map[string]any
	if err := json.Unmarshal([]byte(made), &job); err != nil {
		t.Fatal(err)
	}
	delete(job["metadata"].(map[string]any), "ownerReferences")
	spec := job["spec"].(map[string]any)
	spec["backoffLimit"] = 0
	pod := spec["template"].(map[string]any)["spec"].(map[string]any)
	pod["containers"].([]any)[0].(map[string]any)["args"] = args
	changed, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	create := exec.Command(filepath.Join("bin", "kubectl"), "-n", cloud.Namespace, "create", "-f", "-")
	create.Dir = filepath.Join("..", "..")
	create.Stdin = bytes.NewReader(changed)
	if output, err := create.CombinedOutput(); err != nil {
		t.Fatalf("create Job %s: %v\n%s", name, err, output)
	}
}

// finished waits for the end of a Job and returns whether it succeeded, with its log.
func finished(t *testing.T, name string) (succeeded bool, log string) {
	t.Helper()
	cloud.Eventually(t, cloud.SettleTimeout, "Job "+name+" ended", func() error {
		ends, err := cloud.Try("kubectl", "-n", cloud.Namespace, "get", "job", name,
			"-o", "jsonpath={.status.succeeded},{.status.failed}")
		succeeded = strings.HasPrefix(ends, "1")
		if err == nil && ends == "," {
			err = fmt.Errorf("it goes on")
		}
		return err
	})
	log, err := cloud.Try("kubectl", "-n", cloud.Namespace, "logs", "job/"+name, "-c", "backup")
	if err != nil {
		log = err.Error()
	}
	return succeeded, log
}

func mustSucceed(t *testing.T, name string) string {
	t.Helper()
	succeeded, log := finished(t, name)
	if !succeeded {
		t.Fatalf("Job %s failed:\n%s", name, log)
	}
	return log
}

// backups lists the ids of the complete backups.
func backups(t *testing.T, job string) []string {
	t.Helper()
	agentdJob(t, job, "backups")
	return regexp.MustCompile(`(?m)^\d{8}T\d{6}\.\d{3}Z-\S+`).FindAllString(mustSucceed(t, job), -1)
}

// archived waits until the write-ahead log and a base backup are in the object store.
func archived(t *testing.T) {
	for object, want := range map[string]string{
		`{.status.conditions[?(@.type=="ContinuousArchiving")].status}`: "True",
		`{.status.conditions[?(@.type=="LastBackupSucceeded")].status}`: "True",
	} {
		cloud.Eventually(t, cloud.SettleTimeout, object+" is "+want, func() error {
			return cloud.Matches("cluster.postgresql.cnpg.io/ai-agent-db", object, want)
		})
	}
}

// backedUpAndRestored backs up while requests are stored, restores into another database, and compares. The restore has
// compared every table with the manifest then; that it did is asked of PostgreSQL here.
func backedUpAndRestored(t *testing.T) {
	before := answers(t)
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		written := 0
		for ; ; written++ {
			select {
			case <-stop:
				stopped <- written
				return
			default:
				if _, err := api.Chat(fmt.Sprint("written during the backup ", written)); err != nil {
					t.Errorf("write during the backup: %v", err)
				}
			}
		}
	}()
	cloud.Kubectl(t, "create", "job", "--from=cronjob/ai-agent-backup", "backup-under-writes")
	mustSucceed(t, "backup-under-writes")
	close(stop)
	t.Logf("%d requests were stored meanwhile", <-stopped)

	agentdJob(t, "restore", "restore", "--backup", "latest", "--database", "restored")
	report := mustSucceed(t, "restore")
	t.Logf("restore:\n%s", report)
	rows := regexp.MustCompile(`public\.exchanges\s+(\d+)\s+identical`).FindStringSubmatch(report)
	if rows == nil {
		t.Fatal("the restore does not say that the exchanges are identical")
	}
	name, err := cloud.Primary()
	if err != nil {
		t.Fatal(err)
	}
	restored := func(query string) string {
		psql := []string{"exec", name, "-c", "postgres", "--", "psql", "-U", "postgres", "-d", "restored"}
		return strings.TrimSpace(cloud.Kubectl(t, append(psql, "-tAc", query)...))
	}
	if got := restored("SELECT count(*) FROM exchanges"); got != rows[1] {
		t.Errorf("the restored database has %s exchanges, the manifest %s", got, rows[1])
	}
	if got := restored("SELECT count(*) FROM exchanges WHERE request_id = '" + before + "'"); got != "1" {
		t.Errorf("the exchange before the backup is there %s times", got)
	}
	cloud.Kubectl(t, "exec", name, "-c", "postgres", "--", "psql", "-U", "postgres", "-c", "DROP DATABASE restored")
}

// killedBackupIsNone kills a backup that has begun to write: the list of backups stays as it was.
func killedBackupIsNone(t *testing.T) {
	name, err := cloud.Primary()
	if err != nil {
		t.Fatal(err)
	}
	whole := backups(t, "list-before")
	if len(whole) == 0 {
		t.Fatal("there is no backup to begin with")
	}
	if _, err := cloud.SQL(name, "CREATE TABLE ballast AS "+
		"SELECT md5(random()::text) || md5(random()::text) AS content FROM generate_series(1, 3000000)"); err != nil {
		t.Fatal(err)
	}
	agentdJob(t, "backup-to-be-killed", "backup")
	cloud.Eventually(t, cloud.SettleTimeout, "the backup has begun", func() error {
		log, err := cloud.Try("kubectl", "-n", cloud.Namespace, "logs", "job/backup-to-be-killed", "-c", "backup")
		if err == nil && !strings.Contains(log, "backup started") {
			err = fmt.Errorf("log: %q", log)
		}
		return err
	})
	killed := time.Now()
	cloud.Kubectl(t, "delete", "pods", "-l", "batch.kubernetes.io/job-name=backup-to-be-killed",
		"--grace-period=0", "--force")
	if succeeded, log := finished(t, "backup-to-be-killed"); succeeded {
		t.Fatalf("it was complete before it was killed:\n%s", log)
	}
	t.Logf("the Job had failed %s after the kill", time.Since(killed).Round(100*time.Millisecond))
	if left := backups(t, "list-after"); strings.Join(left, " ") != strings.Join(whole, " ") {
		t.Errorf("backups before: %q, after: %q", whole, left)
	}
	if _, err := cloud.SQL(name, "DROP TABLE ballast"); err != nil {
		t.Fatal(err)
	}
	cloud.Kubectl(t, "delete", "jobs",
		"backup-under-writes", "restore", "list-before", "list-after", "backup-to-be-killed")
}
