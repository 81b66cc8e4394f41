// Package supervisor keeps the processes of an instance running. One supervisor process stands behind each running
// instance: it starts units, starts them again when they die, and stops them in reverse order.
package supervisor

import (
	"reflect"
	"time"
)

// Unit is one process that is kept running.
type Unit struct {
	// Name is also the name of its log file.
	Name string `json:"name"`
	// Namespace is the network namespace it runs in; empty is the host's.
	Namespace string   `json:"namespace,omitempty"`
	Args      []string `json:"args"`
	// Env is added to the supervisor's own environment.
	Env []string `json:"env,omitempty"`
	// StopTimeout is how long the process may take to end after SIGTERM before it is killed.
	StopTimeout time.Duration `json:"stopTimeout"`
	// Generation changes where a file that the process reads at start has changed, so that it is started again.
	Generation string `json:"generation,omitempty"`
}

// State is what the supervisor knows of a unit.
type State struct {
	Name string `json:"name"`
	// PID is 0 while the process is down.
	PID int `json:"pid"`
	// Started is when the running process began.
	Started time.Time `json:"started"`
	// Restarts counts the times it died by itself, since the unit was first started.
	Restarts int `json:"restarts"`
	// LastExit says how it died last.
	LastExit string `json:"lastExit,omitempty"`
}

func same(a, b Unit) bool { return reflect.DeepEqual(a, b) }
