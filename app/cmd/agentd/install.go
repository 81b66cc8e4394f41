package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// install copies this program into a folder, from where a container of another image can run it. The copy is whole
// or not there.
func (p process) install(args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("give the folder to install into\n\n%s", usage)}
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	source, err := os.Open(self)
	if err != nil {
		return fmt.Errorf("open own executable: %w", err)
	}
	defer source.Close()
	temporary, err := os.CreateTemp(args[0], ".agentd-*")
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	_, copied := io.Copy(temporary, source)
	err = errors.Join(copied, temporary.Chmod(0o755), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), filepath.Join(args[0], "agentd"))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("install: %w", err), os.Remove(temporary.Name()))
	}
	return nil
}
