//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"agentstack/tests/cloud"
)

// recovered is the database that recoveredToAMoment makes beside the one that serves.
const recovered = "ai-agent-db-restored"

// recoveredToAMoment goes the way of docs/database.md: a second database begins with what the first one had at a
// moment, is looked at, serves the API, and goes again when the configuration is what it was.
func recoveredToAMoment(t *testing.T) {
	n := cloud.AtRest(t)
	before := answers(t)
	ask := func(cluster, query string) string {
		t.Helper()
		primary := cloud.Kubectl(t, "get", "cluster.postgresql.cnpg.io/"+cluster,
			"-o", "jsonpath={.status.currentPrimary}")
		answer, err := cloud.SQL(strings.TrimSpace(primary), query)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	const serving = "ai-agent-db"
	moment := ask(serving, `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`)
	after := answers(t)
	// The recovery ends at the first commit after the moment, which has to be in the archive.
	last := ask(serving, "SELECT pg_walfile_name(pg_switch_wal())")
	cloud.Eventually(t, cloud.SettleTimeout, last+" is archived", func() error {
		if got := ask(serving, "SELECT last_archived_wal >= '"+last+"' FROM pg_stat_archiver"); got != "t" {
			return fmt.Errorf("not yet: %s", got)
		}
		return nil
	})

	up := func(serve bool) {
		t.Helper()
		file := cloud.ChangedConfig(t, "postgres", func(postgres map[string]any) {
			postgres["recovery"] = map[string]any{"name": recovered, "targetTime": moment, "serve": serve}
		})
		cloud.Pulumi(t, "up", "--yes", "--skip-preview", "--config-file", file)
	}
	rows := func(requestID string) string {
		return ask(recovered, "SELECT count(*) FROM exchanges WHERE request_id = '"+requestID+"'")
	}
	up(false)
	if early, late := rows(before), rows(after); early != "1" || late != "0" {
		t.Errorf("of the request before %s there are %s rows, of the one after it %s", moment, early, late)
	}
	up(true)
	// A pod of the version before, which ends, may still be given a request or two.
	cloud.Eventually(t, cloud.HealTimeout, "the API stores in the recovered database", func() error {
		asked, err := api.Chat("to the recovered database")
		if err != nil {
			return err
		}
		if got := rows(asked.RequestID); got != "1" {
			return fmt.Errorf("%s rows of request %s", got, asked.RequestID)
		}
		return nil
	})
	cloud.Pulumi(t, "up", "--yes", "--skip-preview")
	answers(t)
	cloud.Settled(t, n)
	if err := cloud.Stored(after); err != nil {
		t.Errorf("the database that served before: %v", err)
	}
}
