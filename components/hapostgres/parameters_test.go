package hapostgres_test

import (
	"testing"

	"agentstack/components/hapostgres"
	"agentstack/internal/kube"
)

func sized(request, limit, wal string) hapostgres.Settings {
	return hapostgres.Settings{
		Storage: hapostgres.Storage{WALSize: wal},
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "1", Memory: request}, Limits: kube.ResourceList{Memory: limit},
		},
	}
}

func TestParameters(t *testing.T) {
	with := func(settings hapostgres.Settings, parameters map[string]string) hapostgres.Settings {
		settings.Parameters = parameters
		return settings
	}
	tests := map[string]struct {
		settings hapostgres.Settings
		want     map[string]string
	}{
		"the least": {sized("256Mi", "256Mi", "1Gi"), map[string]string{
			"shared_buffers": "64MB", "effective_cache_size": "192MB", "maintenance_work_mem": "16MB",
			"max_connections": "40", "work_mem": "1638kB",
			"max_wal_size": "256MB", "min_wal_size": "64MB", "max_slot_wal_keep_size": "512MB",
		}},
		"the local cloud": {sized("256Mi", "512Mi", "2Gi"), map[string]string{
			"shared_buffers": "128MB", "effective_cache_size": "384MB", "maintenance_work_mem": "32MB",
			"max_connections": "64", "work_mem": "2048kB",
			"max_wal_size": "512MB", "min_wal_size": "128MB", "max_slot_wal_keep_size": "1024MB",
		}},
		"production": {sized("4Gi", "4Gi", "10Gi"), map[string]string{
			"shared_buffers": "1024MB", "effective_cache_size": "3072MB", "maintenance_work_mem": "256MB",
			"max_connections": "200", "work_mem": "5242kB",
			"max_wal_size": "2560MB", "min_wal_size": "640MB", "max_slot_wal_keep_size": "5120MB",
			"jit": "off", "random_page_cost": "1.1", "wal_compression": "lz4",
			"checkpoint_timeout": "15min", "checkpoint_completion_target": "0.9",
		}},
		"much memory": {sized("64Gi", "64Gi", "100Gi"), map[string]string{
			"shared_buffers": "16384MB", "maintenance_work_mem": "2048MB", "max_connections": "200",
		}},
		"a request below a quarter of the limit": {sized("512Mi", "4Gi", "5Gi"), map[string]string{
			"shared_buffers": "512MB", "work_mem": "6116kB",
		}},
		"one's own connections": {
			with(sized("4Gi", "4Gi", "5Gi"), map[string]string{"max_connections": "50", "jit": "on"}),
			map[string]string{"max_connections": "50", "work_mem": "20971kB", "jit": "on"},
		},
		"one's own work_mem": {
			with(sized("4Gi", "4Gi", "5Gi"), map[string]string{"work_mem": "1MB"}),
			map[string]string{"max_connections": "200", "work_mem": "1MB"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := validArgs()
			args.Settings = test.settings
			object := cluster(t, args)
			for parameter, want := range test.want {
				if got := object.At("spec", "postgresql", "parameters", parameter); got != want {
					t.Errorf("%s = %v, want %s", parameter, got, want)
				}
			}
		})
	}
}
