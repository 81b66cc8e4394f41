package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// InstanceEnv is set in the environment of every process of an instance, to the instance's folder.
const InstanceEnv = "AGENTSTACK_INSTANCE_DIR"

// ErrRunning is returned by Serve where another supervisor of the same instance runs.
var ErrRunning = errors.New("a supervisor of this instance is running already")

func socket(dir string) string { return filepath.Join(dir, "supervisor.sock") }

// Serve runs the supervisor of the instance in dir until the context ends or a client asks it to stop, then stops
// every unit.
func Serve(ctx context.Context, dir string) error {
	unlock, err := Lock(filepath.Join(dir, "supervisor.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(socket(dir)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove old socket: %w", err)
	}
	listener, err := net.Listen("unix", socket(dir))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := New(filepath.Join(dir, "logs"), InstanceEnv+"="+dir)
	server := &http.Server{Handler: handler(s, cancel), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.Stop()
	return errors.Join(err, server.Close())
}

// Lock takes a file lock that ends with the process, or gives ErrRunning.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

func handler(s *Supervisor, stop func()) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /units", func(w http.ResponseWriter, r *http.Request) {
		var u Unit
		if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.Ensure(u)
	})
	mux.HandleFunc("GET /units", func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(s.States()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) { stop() })
	return mux
}
