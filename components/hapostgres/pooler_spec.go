package hapostgres

import (
	"fmt"

	"agentstack/internal/kube"
)

// pools are the two of a cluster: the one that leads to the primary, and the one that leads to the replicas.
var pools = []string{poolerRW, poolerRO}

// surge is how many pods more than its instances a pool has while it is rolled out.
const surge = 1

// besidePools are the connections that are left for others: three of superusers, as many of the operator and of its
// exporter, two of the migrations, and the dumps and restores of backups.
const besidePools = 16

// poolSize is how many connections to PostgreSQL each pod of both pools opens at most, for all roles together. All of
// them may lead to one instance: a replica that is promoted keeps its readers for a while. Each pod needs one more for
// the passwords of those who log in.
func poolSize(s Settings) int {
	pods := len(pools) * (s.Pooler.Instances + surge)
	return (int(connections(postgresParameters(s))) - besidePools - pods) / pods
}

// target is the Service that a pool leads to. A cluster of one instance has no replicas to read from.
func (a Args) target(pool string) string {
	switch {
	case pool == poolerRW:
		return "rw"
	case a.Instances > 1:
		return "ro"
	}
	return "r"
}

func pooler(args Args, pool string) kube.CustomResource[poolerSpec] {
	return kube.CustomResource[poolerSpec]{
		APIVersion: apiVersion,
		Kind:       "Pooler",
		Metadata:   args.metadata(args.Name + pool),
		Spec: poolerSpec{
			Cluster:   objectReference{Name: args.Name},
			Type:      args.target(pool),
			Instances: args.Pooler.Instances,
			PgBouncer: pgBouncerSpec{
				PoolMode:   "transaction",
				Parameters: pgBouncerParameters(args.Settings),
				// Nothing is left to the operator's last rule, which would let in passwords without TLS.
				PgHBA: []string{"hostssl all all all scram-sha-256", "hostnossl all all all reject"},
			},
			Template: newPoolerTemplate(args, pool),
			DeploymentStrategy: deploymentStrategy{
				Type:          "RollingUpdate",
				RollingUpdate: rollingUpdate{MaxSurge: surge, MaxUnavailable: 0},
			},
		},
	}
}

// pgBouncerParameters are those that the operator lets one set. https://www.pgbouncer.org/config.html
func pgBouncerParameters(s Settings) map[string]string {
	size := fmt.Sprint(poolSize(s))
	return map[string]string{
		"client_tls_sslmode": "require",
		"server_tls_sslmode": "verify-full",
		"max_client_conn":    fmt.Sprint(s.Pooler.MaxClients),
		// The first counts for each role and the second for both of the application's, while one takes the place of the
		// other.
		"default_pool_size":  size,
		"max_db_connections": size,
		// Statements that clients prepare live on in the pool, for each of its connections.
		"max_prepared_statements": "200",
		// During a failover a client waits here for the new primary, which is tried each second, and is told after 30.
		"server_login_retry":     "1",
		"server_connect_timeout": "5",
		"query_wait_timeout":     "30",
		// A machine that is lost ends no connection. Without these, a statement that was sent to it would wait for a
		// quarter of an hour; with them for ten seconds (the last one is in milliseconds).
		"tcp_keepalive":    "1",
		"tcp_keepidle":     "5",
		"tcp_keepintvl":    "2",
		"tcp_keepcnt":      "3",
		"tcp_user_timeout": "10000",
		// Readers move on to a replica that has come back, and away from one that was promoted, within ten minutes.
		"server_lifetime": "600",
	}
}

// newPoolerTemplate is what the operator completes to a pod: it adds the image, the user and the restricted security
// context. The containers have the names that it knows them by.
func newPoolerTemplate(args Args, pool string) poolerTemplate {
	selector := map[string]string{labelPooler: args.Name + pool}
	zones := spread(kube.LabelZone, selector)
	zones.MatchLabelKeys = []string{"pod-template-hash"}
	return poolerTemplate{
		Metadata: inheritedMetadata{Labels: args.inheritedLabels(), Annotations: scrape(poolerMetricsPort)},
		Spec: poolerPodSpec{
			InitContainers: []poolerContainer{{Name: "bootstrap-controller", Resources: args.Pooler.Resources}},
			Containers: []poolerContainer{{
				Name:      "pgbouncer",
				Resources: args.Pooler.Resources,
				// A pod that is told to stop takes connections until every node has taken it out of the Service. Then
				// PgBouncer waits for the transactions that are open.
				Lifecycle: &lifecycle{PreStop: preStop{Sleep: sleep{Seconds: 5}}},
			}},
			Affinity: podAffinity{PodAntiAffinity: podAntiAffinity{Preferred: []weightedTerm{{
				Weight: 100,
				PodAffinityTerm: affinityTerm{
					TopologyKey:   kube.LabelHost,
					LabelSelector: labelSelector{MatchLabels: selector},
				},
			}}}},
			TopologySpreadConstraints: []topologySpreadConstraint{zones},
		},
	}
}

// poolerDNSNames are the names of the pools' Services, which show the certificate of the cluster's servers.
func poolerDNSNames(args Args) []string {
	var names []string
	for _, pool := range pools {
		host := args.host(pool)
		names = append(names, args.Name+pool, host, host+".svc", host+".svc.cluster.local")
	}
	return names
}
