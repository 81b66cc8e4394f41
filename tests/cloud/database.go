//go:build e2e

package cloud

import (
	"fmt"
	"strings"
)

// Database is the Cluster of the operator.
const Database = "cluster.postgresql.cnpg.io/ai-agent-db"

// PostgresWhole says what is missing of three instances that are ready, two of which follow the third, with nothing
// left to do for the operator. A replica that took another history than the primary is ready, too, and follows nobody.
func PostgresWhole() error {
	if err := Matches(Database, "{.status.readyInstances} {.status.phase}", "3 Cluster in healthy state"); err != nil {
		return err
	}
	primary, err := Primary()
	if err != nil {
		return err
	}
	following, err := Followers(primary)
	if err == nil && len(following) != 2 {
		err = fmt.Errorf("%v follow %s", following, primary)
	}
	return err
}

// Followers names the instances that receive what the primary writes.
func Followers(primary string) ([]string, error) {
	names, err := SQL(primary, "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' "+
		"AND application_name LIKE 'ai-agent-db-%'")
	return strings.Fields(names), err
}

// Primary names the pod that takes the writes.
func Primary() (string, error) {
	output, err := Try("kubectl", "-n", Namespace, "get", Database, "-o", "jsonpath={.status.currentPrimary}")
	return strings.TrimSpace(output), err
}

// SQL runs a query in a pod of PostgreSQL as its superuser.
func SQL(pod, query string) (string, error) {
	output, err := Try("kubectl", "-n", Namespace, "exec", pod, "-c", "postgres", "--",
		"psql", "-U", "postgres", "-d", "ai_agent", "-tAc", query)
	return strings.TrimSpace(output), err
}

// Stored says whether PostgreSQL holds the completed exchange of a request.
func Stored(requestID string) error {
	primary, err := Primary()
	if err != nil {
		return err
	}
	count, err := SQL(primary,
		"SELECT count(*) FROM exchanges WHERE status = 'completed' AND request_id = '"+requestID+"'")
	if err == nil && count != "1" {
		err = fmt.Errorf("%s rows of request %s", count, requestID)
	}
	return err
}
