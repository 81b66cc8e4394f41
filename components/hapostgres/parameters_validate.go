package hapostgres

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// sizePattern is a size of postgresql.conf. Without a unit it would be one of three, by the parameter.
// https://www.postgresql.org/docs/17/config-setting.html#CONFIG-SETTING-NAMES-VALUES
var sizePattern = regexp.MustCompile(`^([1-9][0-9]{0,9}) ?(kB|MB|GB|TB)$`)

var units = map[string]int64{"kB": kilobyte, "MB": megabyte, "GB": 1 << 30, "TB": 1 << 40}

// sizes are the parameters whose value is read here.
var sizes = []string{
	"shared_buffers", "effective_cache_size", "maintenance_work_mem", "work_mem", "max_wal_size", "min_wal_size",
}

func parseMemory(size string) (int64, error) {
	parts := sizePattern.FindStringSubmatch(size)
	if parts == nil {
		return 0, fmt.Errorf("%q is not a number with one of the units kB, MB, GB and TB, such as 512MB", size)
	}
	number, err := strconv.ParseInt(parts[1], 10, 64)
	return number * units[parts[2]], err
}

// validateParameters reports parameters that PostgreSQL or the operator would refuse, or that do not fit the instance.
// The settings are valid but for them and the pools.
func (s Settings) validateParameters(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		value := s.Parameters[name]
		if slices.Contains(sizes, name) {
			if _, err := parseMemory(value); err != nil {
				problems = append(problems, field.Invalid(path.Key(name), value,
					"must be a number with one of the units kB, MB, GB and TB, such as 512MB"))
			}
		}
		if name == "max_connections" {
			if number, err := strconv.Atoi(value); err != nil || number < minConnections {
				problems = append(problems, field.Invalid(path.Key(name), value,
					fmt.Sprintf("must be a number of at least %d: the pools, backups and the operator need so many",
						minConnections)))
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return s.validateFit(path)
}

// validateFit reports parameters that can be read and are too large for the instance or its volume.
func (s Settings) validateFit(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	parameters := postgresParameters(s)
	shared, sorts := memory(parameters["shared_buffers"]), connections(parameters)*memory(parameters["work_mem"])
	if shared+sorts > whole(s.Resources.Limits.Memory) {
		problems = append(problems, field.Invalid(path, inMegabytes(shared+sorts), fmt.Sprintf(
			"shared_buffers (%s) and work_mem (%s) for each of max_connections (%s) must fit into the memory limit "+
				"of %s: lower one of them or raise resources.limits.memory",
			parameters["shared_buffers"], parameters["work_mem"], parameters["max_connections"],
			s.Resources.Limits.Memory)))
	}
	if shared > whole(s.Resources.Requests.Memory) {
		problems = append(problems, field.Invalid(path.Key("shared_buffers"), parameters["shared_buffers"],
			"must be at most the requested memory of "+s.Resources.Requests.Memory))
	}
	smallest, largest := memory(parameters["min_wal_size"]), memory(parameters["max_wal_size"])
	if largest >= whole(s.Storage.WALSize) {
		problems = append(problems, field.Invalid(path.Key("max_wal_size"), parameters["max_wal_size"],
			"must be less than storage.walSize, which is "+s.Storage.WALSize))
	}
	if smallest >= largest {
		problems = append(problems, field.Invalid(path.Key("min_wal_size"), parameters["min_wal_size"],
			"must be less than max_wal_size, which is "+parameters["max_wal_size"]))
	}
	return problems
}
