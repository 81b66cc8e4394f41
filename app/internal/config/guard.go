package config

import (
	"log/slog"
	"net"
)

// Guard configures agentd guard.
type Guard struct {
	DatabaseURL string // DATABASE_URL, required; leads to the primary, not through a pooler
	Cluster     string // CLUSTER, required: the name of the operator's object
	Selector    string // POD_SELECTOR, required: the labels of the cluster's instances, as kubectl takes them
	APIServer   string // KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, required; every pod has them
	// ReplaceCutOff is REPLACE_CUT_OFF, default false: true only where no commit is acknowledged that no replica has.
	ReplaceCutOff bool
	HealthAddr    string     // HEALTH_ADDRESS, default :8080
	LogLevel      slog.Level // LOG_LEVEL, default info
}

// ReadGuard returns every problem at once.
func ReadGuard(env Env) (Guard, error) {
	r := reader{env: env}
	config := Guard{
		DatabaseURL:   r.databaseURL(),
		Cluster:       r.required("CLUSTER"),
		Selector:      r.required("POD_SELECTOR"),
		APIServer:     r.apiServer(),
		ReplaceCutOff: r.boolean("REPLACE_CUT_OFF", false),
		HealthAddr:    r.listenAddr("HEALTH_ADDRESS", ":8080"),
		LogLevel:      r.logLevel(),
	}
	return config, r.err()
}

// apiServer returns the URL of the Kubernetes API.
func (r *reader) apiServer() string {
	host, port := r.required("KUBERNETES_SERVICE_HOST"), r.required("KUBERNETES_SERVICE_PORT")
	if port != "" && !validPort(port, 1) {
		r.problem("KUBERNETES_SERVICE_PORT", port, "want a port")
	}
	return "https://" + net.JoinHostPort(host, port)
}
