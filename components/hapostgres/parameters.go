package hapostgres

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"

	"agentstack/internal/kube"
)

const (
	kilobyte = 1 << 10
	megabyte = 1 << 20
)

// connectionMemory is what a session takes beside the shared buffers, its share of work_mem included.
const connectionMemory = 8 * megabyte

// Bounds of max_connections. Fewer are too few for the pools; more only wait for the same processors, which is what the
// pools are for. https://wiki.postgresql.org/wiki/Number_Of_Database_Connections
const (
	minConnections = 40
	maxConnections = 200
)

// postgresParameters derives settings of postgresql.conf from the memory of an instance and its volume for the WAL. The
// settings' own win. https://www.postgresql.org/docs/17/runtime-config-resource.html has the rules of thumb for memory.
func postgresParameters(s Settings) map[string]string {
	limit, wal := whole(s.Resources.Limits.Memory), whole(s.Storage.WALSize)
	parameters := kube.Merge(map[string]string{
		// A quarter of the memory. The operator refuses more than the request.
		"shared_buffers": inMegabytes(min(limit/4, whole(s.Resources.Requests.Memory))),
		// What the page cache holds counts against the limit too, so the two together are most of it. Nothing is
		// reserved: the planner only reckons with it.
		"effective_cache_size": inMegabytes(limit * 3 / 4),
		// Each of three autovacuum workers may take it. An HNSW index larger than this takes long to build, but is
		// built: https://github.com/pgvector/pgvector#index-build-time
		"maintenance_work_mem": inMegabytes(min(limit/16, 2048*megabyte)),
		"max_connections":      fmt.Sprint(min(maxConnections, max(minConnections, limit/connectionMemory))),
		// The WAL since the last checkpoint, and what is kept for a replica that does not fetch it, fill three quarters
		// of the volume at most: a lost replica cannot stop the primary. One that comes back later than that fetches
		// what it missed from the archive, and then follows the primary again. The last quarter is for what waits to
		// be archived, which has no bound.
		"max_wal_size":           inMegabytes(wal / 4),
		"min_wal_size":           inMegabytes(wal / 16),
		"max_slot_wal_keep_size": inMegabytes(wal / 2),
		"wal_compression":        "lz4",
		// Fewer checkpoints write fewer whole pages; a crashed instance replays up to 15 minutes.
		"checkpoint_timeout":           "15min",
		"checkpoint_completion_target": "0.9",
		// For disks without heads that move.
		"random_page_cost": "1.1",
		// Vector distances are costed so high that nearly each search would be compiled, which takes longer than it.
		"jit": "off",
	}, s.Parameters)
	if _, given := parameters["work_mem"]; !given {
		// A third of what the shared buffers leave, if every session sorts once: one may need it several times, and the
		// rest is for the sessions themselves and the page cache.
		rest := limit - memory(parameters["shared_buffers"])
		parameters["work_mem"] = inKilobytes(max(minWorkMem, rest/3/connections(parameters)))
	}
	return parameters
}

// minWorkMem is PostgreSQL's own lower bound of work_mem.
const minWorkMem = 64 * kilobyte

// whole is the number of bytes or cores of a valid Kubernetes quantity, rounded up.
func whole(quantity string) int64 {
	parsed := resource.MustParse(quantity)
	return parsed.Value()
}

func inMegabytes(bytes int64) string { return fmt.Sprintf("%dMB", bytes/megabyte) }

func inKilobytes(bytes int64) string { return fmt.Sprintf("%dkB", bytes/kilobyte) }

// memory is a valid size of postgresql.conf in bytes.
func memory(size string) int64 {
	parsed, err := parseMemory(size)
	if err != nil {
		panic("not a valid size, which Validate reports: " + err.Error())
	}
	return parsed
}

// connections is max_connections of valid parameters.
func connections(parameters map[string]string) int64 {
	number, err := strconv.ParseInt(parameters["max_connections"], 10, 64)
	if err != nil {
		panic("not a valid number, which Validate reports: " + err.Error())
	}
	return number
}
