package config

import (
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backup configures agentd backup, backups and restore.
type Backup struct {
	DatabaseURL string // DATABASE_URL, required, not through a pooler
	Store       ObjectStore
	Retention   time.Duration // BACKUP_RETENTION, a Go duration or days as in 30d, default 720h
	LogLevel    slog.Level    // LOG_LEVEL, default info
}

// ObjectStore is a bucket of an S3-compatible store.
type ObjectStore struct {
	Endpoint        string // S3_ENDPOINT, default AWS
	Region          string // S3_REGION, required
	Bucket          string // S3_BUCKET, required
	Prefix          string // S3_PREFIX of the keys, default backups/<database>
	AccessKeyID     string // AWS_ACCESS_KEY_ID, default: the identity that the cloud gives the pod
	SecretAccessKey string // AWS_SECRET_ACCESS_KEY, with AWS_ACCESS_KEY_ID
}

// ReadBackup returns every problem at once.
func ReadBackup(env Env) (Backup, error) {
	r := reader{env: env}
	config := Backup{
		DatabaseURL: r.databaseURL(),
		Store: ObjectStore{
			Region:          r.required("S3_REGION"),
			Bucket:          r.required("S3_BUCKET"),
			AccessKeyID:     r.text("AWS_ACCESS_KEY_ID", ""),
			SecretAccessKey: r.text("AWS_SECRET_ACCESS_KEY", ""),
		},
		Retention: r.days("BACKUP_RETENTION", 720*time.Hour),
		LogLevel:  r.logLevel(),
	}
	config.Store.Endpoint = r.endpoint("S3_ENDPOINT")
	config.Store.Prefix = r.prefix("S3_PREFIX", config.DatabaseURL)
	if (config.Store.AccessKeyID == "") != (config.Store.SecretAccessKey == "") {
		r.secret("AWS_ACCESS_KEY_ID", "give it together with AWS_SECRET_ACCESS_KEY, or neither")
	}
	return config, r.err()
}

// days reads a duration of at least an hour, also in days.
func (r *reader) days(name string, fallback time.Duration) time.Duration {
	value := r.text(name, fallback.String())
	duration, err := time.ParseDuration(value)
	if number, ok := strings.CutSuffix(value, "d"); ok {
		var days int
		days, err = strconv.Atoi(number)
		duration = time.Duration(days) * 24 * time.Hour
	}
	if err != nil || duration < time.Hour {
		r.problem(name, value, "want a duration of at least an hour, as in 720h or 30d")
	}
	return duration
}

func (r *reader) endpoint(name string) string {
	value := r.text(name, "")
	if value == "" {
		return ""
	}
	parsed, err := url.Parse(value)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" ||
		parsed.User != nil || strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" {
		r.secret(name, "want http://host:port or https://host, without path and credentials")
	}
	return value
}

// prefix depends on the database, so that the backups of two databases can share a bucket.
func (r *reader) prefix(name, databaseURL string) string {
	database := ""
	if config, err := pgx.ParseConfig(databaseURL); err == nil {
		database = config.Database
	}
	value := r.text(name, "backups/"+database)
	if strings.Trim(value, "/") != value || strings.Contains(value, "//") {
		r.problem(name, value, "want names separated by single slashes, as in backups/ai_agent")
	}
	return value
}
