package leftovers

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// RemoveLitter removes what kubelet and the network plugins write to fixed places of the machine, as far as it speaks
// of the instance in dir. The folder /var/log/pods stays, though nothing is in it: pods of other instances mount it.
func RemoveLitter(dir string) error {
	return errors.Join(
		removeFiles("/var/log/containers/*.log", func(path string) (bool, error) {
			target, err := os.Readlink(path)
			return strings.HasPrefix(target, dir+"/"), err
		}),
		removeFiles("/var/lib/cni/results/*", func(path string) (bool, error) {
			content, err := os.ReadFile(path)
			return bytes.Contains(content, []byte(dir+"/")), err
		}),
	)
}

func removeFiles(pattern string, ours func(path string) (bool, error)) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return fmt.Errorf("list %s: %w", pattern, err)
	}
	var errs []error
	for _, path := range paths {
		yes, err := ours(path)
		if yes && err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove litter: %w", err))
		}
	}
	return errors.Join(errs...)
}
