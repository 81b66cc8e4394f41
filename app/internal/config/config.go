// Package config reads the application's configuration from the environment.
package config

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Serve configures agentd serve.
type Serve struct {
	ListenAddr      string // LISTEN_ADDR, default :8000
	DatabaseURL     string // DATABASE_URL, required; may lead through PgBouncer in transaction mode
	Redis           Redis
	Models          Models        // MODELS, required, and a key for each provider
	JWTKeys         [][]byte      // JWT_KEYS, required, comma separated; the first signs, all verify
	SignUpToken     string        // SIGNUP_TOKEN, default empty: nobody can sign up
	CacheTTL        time.Duration // CACHE_TTL, default 5m; 0s turns the response cache off
	StoreExchanges  bool          // STORE_EXCHANGES, default true
	MaxStreams      int           // MAX_STREAMS, default 2000, of answers at once
	LogLevel        slog.Level    // LOG_LEVEL, default info
	Environment     string        // APP_ENV, default development
	Region          string        // REGION, default local
	ProfileAddr     string        // PPROF_ADDR, default empty: no profiles; a loopback address only
	TracesEndpoint  string        // OTEL_EXPORTER_OTLP_ENDPOINT, default empty: no traces; OTLP over HTTP
	ShutdownDelay   time.Duration // SHUTDOWN_DELAY, default 10s: requests still come while endpoints are withdrawn
	ShutdownTimeout time.Duration // SHUTDOWN_TIMEOUT, default 50s: for the requests that are then being served
}

// Redis is the cluster of the response cache, of limits, and of the events that replicas share.
type Redis struct {
	Addrs    []string // REDIS_ADDRS, required, host:port of some nodes, comma separated
	Username string   // REDIS_USERNAME
	Password string   // REDIS_PASSWORD
	CAFile   string   // REDIS_CA_FILE, default empty: no TLS; the authority that signs the nodes' certificates
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
		DatabaseURL: r.databaseURL(),
		Redis: Redis{
			Addrs:    r.addrs("REDIS_ADDRS"),
			Username: r.text("REDIS_USERNAME", ""),
			Password: r.text("REDIS_PASSWORD", ""),
			CAFile:   r.authority("REDIS_CA_FILE"),
		},
		Models:          r.models("MODELS"),
		JWTKeys:         r.jwtKeys("JWT_KEYS"),
		SignUpToken:     r.text("SIGNUP_TOKEN", ""),
		CacheTTL:        r.duration("CACHE_TTL", 5*time.Minute, 0),
		StoreExchanges:  r.boolean("STORE_EXCHANGES", true),
		MaxStreams:      r.count("MAX_STREAMS", 2000),
		LogLevel:        r.logLevel(),
		Environment:     r.text("APP_ENV", "development"),
		Region:          r.text("REGION", "local"),
		ProfileAddr:     r.loopbackAddr("PPROF_ADDR"),
		ShutdownDelay:   r.duration("SHUTDOWN_DELAY", 10*time.Second, 0),
		ShutdownTimeout: r.duration("SHUTDOWN_TIMEOUT", 50*time.Second, 0),
	}
	if config.TracesEndpoint = r.text("OTEL_EXPORTER_OTLP_ENDPOINT", ""); config.TracesEndpoint != "" {
		r.checkURL("OTEL_EXPORTER_OTLP_ENDPOINT", config.TracesEndpoint)
	}
	return config, r.err()
}

// ReadMigrate returns every problem at once.
func ReadMigrate(env Env) (Migrate, error) {
	r := reader{env: env}
	config := Migrate{
		DatabaseURL: r.databaseURL(),
		LogLevel:    r.logLevel(),
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

func (r *reader) databaseURL() string {
	const name = "DATABASE_URL"
	value := r.required(name)
	if value == "" {
		return ""
	}
	parsed, err := url.Parse(value)
	if err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
		r.secret(name, "want postgres://user:password@host:port/database")
		return value
	}
	_, err = pgxpool.ParseConfig(value)
	if file := new(fs.PathError); errors.As(err, &file) {
		r.secret(name, file.Error()+"; mount the file that the URL names")
	} else if err != nil {
		r.secret(name, "not a valid PostgreSQL URL; check the port, the parameters after ? and the files they name")
	}
	return value
}

// jwtKeys reads keys of at least 256 bits, as RFC 7518, section 3.2, wants for HS256.
func (r *reader) jwtKeys(name string) [][]byte {
	value := r.required(name)
	if value == "" {
		return nil
	}
	var keys [][]byte
	for key := range strings.SplitSeq(value, ",") {
		if len(key) < 32 {
			r.secret(name, "want keys of at least 32 characters, several separated by commas")
		}
		keys = append(keys, []byte(key))
	}
	return keys
}

// authority reads the name of a file that has certificates.
func (r *reader) authority(name string) string {
	file := r.text(name, "")
	if file == "" {
		return ""
	}
	content, err := os.ReadFile(file)
	if err != nil {
		r.problem(name, file, err.Error())
	} else if !x509.NewCertPool().AppendCertsFromPEM(content) {
		r.problem(name, file, "want a file with certificates in PEM")
	}
	return file
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

// loopbackAddr reads an address that only this host can reach.
func (r *reader) loopbackAddr(name string) string {
	value := r.text(name, "")
	if value == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(value)
	if ip := net.ParseIP(host); err != nil || !validPort(port, 0) || ip == nil || !ip.IsLoopback() {
		r.problem(name, value, "want a loopback address and a port, as in 127.0.0.1:6060")
	}
	return value
}
