package apitest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/util/keyutil"
)

// ToolsVariable names the environment variable that says where the Kubernetes binaries are.
const ToolsVariable = "AGENTSTACK_TOOLS"

// binary returns the path of a Kubernetes binary.
func binary(name string) (string, error) {
	directory := os.Getenv(ToolsVariable)
	if directory == "" {
		return "", fmt.Errorf(
			"find %s: %s is not set: run the tests by `make test`, or set it to a directory with "+
				"etcd, kube-apiserver and kube-controller-manager",
			name,
			ToolsVariable,
		)
	}
	path := filepath.Join(directory, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find %s in %s: %w", name, ToolsVariable, err)
	}
	return path, nil
}

// startControllers runs kube-controller-manager with the administrator's credentials, without ports of its
// own.
func (s *Server) startControllers() error {
	path, err := binary("kube-controller-manager")
	if err != nil {
		return err
	}
	kubeconfig, err := s.KubeconfigFile()
	if err != nil {
		return err
	}
	key, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return fmt.Errorf("make service account key: %w", err)
	}
	keyFile := filepath.Join(s.directory, "service-account.key")
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return fmt.Errorf("write service account key: %w", err)
	}
	log, err := os.Create(filepath.Join(s.directory, "kube-controller-manager.log"))
	if err != nil {
		return fmt.Errorf("create log: %w", err)
	}
	defer log.Close()
	s.controllers = exec.Command(path,
		"--kubeconfig="+kubeconfig,
		"--service-account-private-key-file="+keyFile,
		"--secure-port=0",
		"--leader-elect=false",
	)
	s.controllers.Stdout, s.controllers.Stderr = log, log
	if err := s.controllers.Start(); err != nil {
		return fmt.Errorf("start kube-controller-manager: %w", err)
	}
	return nil
}

func (s *Server) stopControllers() error {
	if s.controllers == nil || s.controllers.Process == nil {
		return nil
	}
	if err := s.controllers.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop kube-controller-manager: %w", err)
	}
	kill := time.AfterFunc(stopTimeout, func() { _ = s.controllers.Process.Kill() })
	defer kill.Stop()
	// Its exit status after a signal says nothing about the test.
	_ = s.controllers.Wait()
	return nil
}
