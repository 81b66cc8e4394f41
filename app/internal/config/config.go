// Package config reads the application's configuration from the environment.
package config

import (
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Serve configures agentd serve.
type Serve struct {
	ListenAddr      string // LISTEN_ADDR, default :8000
	DatabaseURL     string // DATABASE_URL, required
	Redis           Redis
	Model           Model
	CacheTTL        time.Duration // CACHE_TTL, default 5m
	LogLevel        slog.Level    // LOG_LEVEL, default info
	Environment     string        // APP_ENV, default development
	Region          string        // REGION, default local
	ShutdownDelay   time.Duration // SHUTDOWN_DELAY, default 10s: requests still come while endpoints are withdrawn
	ShutdownTimeout time.Duration // SHUTDOWN_TIMEOUT, default 50s: for the requests that are then being served
}

// Redis is the cluster of the response cache.
type Redis struct {
	Addrs    []string // REDIS_ADDRS, required, host:port of some nodes, comma separated
	Username string   // REDIS_USERNAME
	Password string   // REDIS_PASSWORD
}

// Model is the OpenAI-compatible model server.
type Model struct {
	BaseURL string        // MODEL_BASE_URL, required, as in https://api.openai.com/v1
	APIKey  string        // MODEL_API_KEY, may be empty for servers that need none
	Timeout time.Duration // MODEL_TIMEOUT, default 5m, for a whole answer
}

// Migrate configures agentd migrate.
type Migrate struct {
	DatabaseURL string        // DATABASE_URL, required, not through a pooler
	LogLevel    slog.Level    // LOG_LEVEL, default info
	Timeout     time.Duration // MIGRATE_TIMEOUT, default 5m, waiting for the database included
}

// ReadServe returns every problem at once.
func ReadServe(env Env) (Serve, error) {
	r := reader{env: env}
	config := Serve{
		ListenAddr:  r.listenAddr("LISTEN_ADDR", ":8000"),
		DatabaseURL: r.databaseURL("DATABASE_URL"),
		Redis: Redis{
			Addrs:    r.addrs("REDIS_ADDRS"),
			Username: r.text("REDIS_USERNAME", ""),
			Password: r.text("REDIS_PASSWORD", ""),
		},
		Model: Model{
			BaseURL: r.httpURL("MODEL_BASE_URL"),
			APIKey:  r.text("MODEL_API_KEY", ""),
			Timeout: r.duration("MODEL_TIMEOUT", 5*time.Minute, time.Second),
		},
		CacheTTL:        r.duration("CACHE_TTL", 5*time.Minute, time.Second),
		LogLevel:        r.logLevel("LOG_LEVEL"),
		Environment:     r.text("APP_ENV", "development"),
		Region:          r.text("REGION", "local"),
		ShutdownDelay:   r.duration("SHUTDOWN_DELAY", 10*time.Second, 0),
		ShutdownTimeout: r.duration("SHUTDOWN_TIMEOUT", 50*time.Second, 0),
	}
	return config, r.err()
}

// ReadMigrate returns every problem at once.
func ReadMigrate(env Env) (Migrate, error) {
	r := reader{env: env}
	config := Migrate{
		DatabaseURL: r.databaseURL("DATABASE_URL"),
		LogLevel:    r.logLevel("LOG_LEVEL"),
		Timeout:     r.duration("MIGRATE_TIMEOUT", 5*time.Minute, time.Second),
	}
	return config, r.err()
}

// MockModel configures mockllm.
type MockModel struct {
	ListenAddr string // LISTEN_ADDR, default :8080
}

// ReadMockModel returns every problem at once.
func ReadMockModel(env Env) (MockModel, error) {
	r := reader{env: env}
	return MockModel{ListenAddr: r.listenAddr("LISTEN_ADDR", ":8080")}, r.err()
}

func (r *reader) databaseURL(name string) string {
	value := r.required(name)
	if value == "" {
		return ""
	}
	parsed, err := url.Parse(value)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
		r.secret(name, "want postgres://user:password@host:port/database")
		return value
	}
	if _, err := pgxpool.ParseConfig(value); err != nil {
		r.secret(name, "not a valid PostgreSQL URL; check the port and the parameters after ?")
	}
	return value
}

func (r *reader) httpURL(name string) string {
	value := r.required(name)
	if value == "" {
		return ""
	}
	parsed, err := url.Parse(value)
	switch {
	case err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "":
		r.secret(name, "want http://host or https://host with a path such as /v1")
	case parsed.User != nil:
		r.secret(name, "must not contain credentials; give the key in MODEL_API_KEY")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		r.secret(name, "must not have a query or a fragment")
	}
	return value
}

func (r *reader) addrs(name string) []string {
	value := r.required(name)
	if value == "" {
		return nil
	}
	addrs := strings.Split(value, ",")
	for i, addr := range addrs {
		addrs[i] = strings.TrimSpace(addr)
		if host, port, err := net.SplitHostPort(addrs[i]); err != nil || host == "" || !validPort(port, 1) {
			r.problem(name, addr, "want host:port, several separated by commas")
		}
	}
	return addrs
}

func (r *reader) listenAddr(name, fallback string) string {
	value := r.text(name, fallback)
	if _, port, err := net.SplitHostPort(value); err != nil || !validPort(port, 0) {
		r.problem(name, value, "want [host]:port, as in :8000")
	}
	return value
}
