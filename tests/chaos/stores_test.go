//go:build e2e

package chaos

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"agentstack/tests/cloud"
)

// writesTable takes the rows of the test. It has no policies, and everybody may write to it.
const writesTable = `CREATE TABLE IF NOT EXISTS chaos_writes (run text, n bigint, PRIMARY KEY (run, n));
	GRANT SELECT, INSERT ON chaos_writes TO PUBLIC`

// secretOf reads the Secret that an environment variable of the API comes from.
func secretOf(t *testing.T, variable string) map[string]string {
	t.Helper()
	name := cloud.Kubectl(t, "get", "deployment", "ai-agent-api", "-o",
		`jsonpath={.spec.template.spec.containers[0].env[?(@.name=="`+variable+`")].valueFrom.secretKeyRef.name}`)
	return secret(t, name)
}

func secret(t *testing.T, name string) map[string]string {
	t.Helper()
	var object struct{ Data map[string][]byte }
	if err := json.Unmarshal([]byte(cloud.Kubectl(t, "get", "secret", name, "-o", "json")), &object); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for key, value := range object.Data {
		values[key] = string(value)
	}
	return values
}

// database returns how the app connects: as its role, with the server's certificate checked, but to an address, since
// the host does not know the names of the cluster.
func database(t *testing.T) *pgxpool.Config {
	t.Helper()
	values := secretOf(t, "DATABASE_URL")
	config, err := pgxpool.ParseConfig("sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	service, _, _ := strings.Cut(values["host"], ".")
	address, err := cloud.ServiceAddress(cloud.Namespace, service)
	if err != nil {
		t.Fatal(err)
	}
	authority := x509.NewCertPool()
	if !authority.AppendCertsFromPEM([]byte(secret(t, "ai-agent-db-ca")["ca.crt"])) {
		t.Fatal("the operator's authority has no certificate")
	}
	config.MaxConns = workers
	c := config.ConnConfig
	c.Host, c.Port, c.Database = address, 5432, values["dbname"]
	c.User, c.Password = values["username"], values["password"]
	c.TLSConfig = &tls.Config{RootCAs: authority, ServerName: values["host"]}
	c.ConnectTimeout = time.Second
	// A pooler that lends connections for a transaction keeps no prepared statements.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	return config
}

// redisCluster connects as the app does. The names of the nodes are resolved by the cluster's DNS.
func redisCluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	values := secretOf(t, "REDIS_PASSWORD")
	dns, err := cloud.ServiceAddress("kube-system", "kube-dns")
	if err != nil {
		t.Fatal(err)
	}
	address, err := cloud.ServiceAddress(cloud.Namespace, "ai-agent-redis")
	if err != nil {
		t.Fatal(err)
	}
	dialer := net.Dialer{Timeout: time.Second, Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(dns, "53"))
		},
	}}
	// What the library writes about nodes that it does not reach is not news here.
	redis.SetLogger(silence{})
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                      []string{net.JoinHostPort(address, "6379")},
		Username:                   "ai-agent",
		Password:                   values["password"],
		Dialer:                     dialer.DialContext,
		ReadTimeout:                time.Second,
		WriteTimeout:               time.Second,
		ContextTimeoutEnabled:      true,
		ClusterStateReloadInterval: time.Second,
		FailingTimeoutSeconds:      1,
	})
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func apiWriter(api *cloud.API, run string) *writer {
	return &writer{
		name: "the API", every: 100 * time.Millisecond,
		write: func(_ context.Context, n int) (string, error) {
			answer, err := api.Chat(fmt.Sprintf("request %d of run %s", n, run))
			if err == nil && answer.Cache == "hit" {
				err = errors.New("the cache answered a new question")
			}
			return answer.RequestID, err
		},
		stored: func([]string) (map[string]bool, error) {
			return rows("SELECT request_id FROM exchanges " +
				"WHERE status = 'completed' AND created_at > now() - interval '1 hour'")
		},
	}
}

func sqlWriter(pool *pgxpool.Pool, run string) *writer {
	return &writer{
		name: "PostgreSQL", every: 50 * time.Millisecond,
		write: func(ctx context.Context, n int) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, writeTimeout)
			defer cancel()
			_, err := pool.Exec(ctx, "INSERT INTO chaos_writes VALUES ($1, $2)", run, n)
			return fmt.Sprint(n), err
		},
		stored: func([]string) (map[string]bool, error) {
			return rows("SELECT n FROM chaos_writes WHERE run = '" + run + "'")
		},
	}
}

// shardTags are hash tags whose slots belong to the first, the second and the third of three shards.
var shardTags = []string{"{3}", "{1}", "{0}"}

func redisWriter(cluster *redis.ClusterClient, run string) *writer {
	return &writer{
		name: "Redis", every: 50 * time.Millisecond, parts: len(shardTags),
		write: func(ctx context.Context, n int) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, writeTimeout)
			defer cancel()
			key := fmt.Sprintf("chaos:%s:%s:%d", shardTags[n%len(shardTags)], run, n)
			return key, cluster.Set(ctx, key, n, time.Hour).Err()
		},
		stored: func(keys []string) (map[string]bool, error) {
			stored := map[string]bool{}
			for _, key := range keys {
				n, err := cluster.Exists(context.Background(), key).Result()
				if err != nil {
					return nil, fmt.Errorf("look for %s: %w", key, err)
				}
				stored[key] = n == 1
			}
			return stored, nil
		},
	}
}

// rows asks the primary for one column.
func rows(query string) (map[string]bool, error) {
	primary, err := cloud.Primary()
	if err != nil {
		return nil, err
	}
	output, err := cloud.SQL(primary, query)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for line := range strings.Lines(output) {
		found[strings.TrimSpace(line)] = true
	}
	return found, nil
}
