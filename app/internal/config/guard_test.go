package config

import (
	"strings"
	"testing"
)

func TestReadGuard(t *testing.T) {
	valid := map[string]string{
		"DATABASE_URL": "postgresql://guard:secret@db-rw:5432/ai_agent", "POD_SELECTOR": "cnpg.io/cluster=db",
		"CLUSTER":                 "db",
		"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443",
	}
	read := func(name, value string) (Guard, error) {
		return ReadGuard(func(variable string) (string, bool) {
			if variable == name {
				return value, true
			}
			given, ok := valid[variable]
			return given, ok
		})
	}
	defaults, err := read("", "")
	if err != nil || defaults.APIServer != "https://[fd00::1]:443" || defaults.HealthAddr != ":8080" {
		t.Errorf("defaults: %+v, error %v", defaults, err)
	}
	if defaults.ReplaceCutOff {
		t.Error("a primary that is cut off is replaced by default")
	}
	if given, err := read("REPLACE_CUT_OFF", "true"); err != nil || !given.ReplaceCutOff {
		t.Errorf("REPLACE_CUT_OFF: %+v, error %v", given, err)
	}
	for name, value := range map[string]string{
		"DATABASE_URL": "", "POD_SELECTOR": "", "KUBERNETES_SERVICE_HOST": "", "KUBERNETES_SERVICE_PORT": "https",
		"CLUSTER": "", "REPLACE_CUT_OFF": "yes",
		"HEALTH_ADDRESS": "8080", "LOG_LEVEL": "loud",
	} {
		if _, err := read(name, value); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s=%s: error %v", name, value, err)
		}
	}
}
