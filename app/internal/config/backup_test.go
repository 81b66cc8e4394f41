package config

import (
	"testing"
	"time"
)

func TestReadBackup(t *testing.T) {
	valid := map[string]string{
		"DATABASE_URL": "postgresql://role:secret@db:5432/ai_agent?sslmode=require",
		"S3_REGION":    "us-east-1", "S3_BUCKET": "backups",
	}
	read := func(name, value string) (Backup, error) {
		return ReadBackup(func(variable string) (string, bool) {
			if variable == name {
				return value, true
			}
			given, ok := valid[variable]
			return given, ok
		})
	}
	defaults, err := read("", "")
	if err != nil || defaults.Retention != 720*time.Hour || defaults.Store.Prefix != "backups/ai_agent" ||
		defaults.Store.Endpoint != "" {
		t.Errorf("defaults: %+v, error %v", defaults, err)
	}
	for retention, want := range map[string]time.Duration{
		"7d": 7 * 24 * time.Hour, "36h": 36 * time.Hour, "1h": time.Hour,
		"0d": 0, "-1d": 0, "d": 0, "1.5d": 0, "59m": 0, "30": 0,
	} {
		config, err := read("BACKUP_RETENTION", retention)
		if (err == nil) != (want > 0) || err == nil && config.Retention != want {
			t.Errorf("retention %q: %s, error %v, want %s", retention, config.Retention, err, want)
		}
	}
	for endpoint, valid := range map[string]bool{
		"http://object-store.ai-agent.svc:7070": true, "https://s3.example.com/": true,
		"s3.example.com": false, "ftp://s3.example.com": false, "http://key:secret@s3": false,
		"http://s3/bucket": false,
	} {
		if _, err := read("S3_ENDPOINT", endpoint); (err == nil) != valid {
			t.Errorf("endpoint %q: error %v, want valid: %t", endpoint, err, valid)
		}
	}
	for prefix, valid := range map[string]bool{"a": true, "a/b": true, "/a": false, "a/": false, "a//b": false} {
		if _, err := read("S3_PREFIX", prefix); (err == nil) != valid {
			t.Errorf("prefix %q: error %v, want valid: %t", prefix, err, valid)
		}
	}
	if _, err := read("AWS_ACCESS_KEY_ID", "key"); err == nil {
		t.Error("a key without its secret is accepted")
	}
}
