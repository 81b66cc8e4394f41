package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	file       = "instance.json"
	firstOctet = 200
	lastOctet  = 249
)

// Load reads an instance from its folder. An instance that was never made gives fs.ErrNotExist.
func Load(dir string) (Instance, error) {
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return Instance{}, fmt.Errorf("read instance: %w", err)
	}
	var i Instance
	if err := json.Unmarshal(content, &i); err != nil {
		return Instance{}, fmt.Errorf("parse %s: %w", filepath.Join(dir, file), err)
	}
	return i, i.Validate()
}

// LoadOrCreate reads an instance, or makes one and gives it an address range that no other instance under the same
// root has and that inUse does not refuse. Regions can be added to an instance later, never renamed or reordered.
func LoadOrCreate(root, name string, regions []string, inUse func(cidr string) (bool, error)) (Instance, error) {
	dir := filepath.Join(root, name)
	i, err := Load(dir)
	switch {
	case err == nil && slices.Equal(i.RegionNames, regions):
		return i, nil
	case err == nil && len(regions) > len(i.RegionNames) && slices.Equal(i.RegionNames, regions[:len(i.RegionNames)]):
		i.RegionNames = regions
		return i, i.save()
	case err == nil:
		return Instance{}, fmt.Errorf("regions: %v given, but instance %s has %v; regions can only be added at the end",
			regions, name, i.RegionNames)
	case !errors.Is(err, fs.ErrNotExist):
		return Instance{}, err
	}
	i = Instance{Name: name, Dir: dir, RegionNames: regions}
	if err := i.Validate(); err != nil {
		return Instance{}, err
	}
	if i.Octet, err = freeOctet(root, inUse); err != nil {
		return Instance{}, err
	}
	return i, i.save()
}

func freeOctet(root string, inUse func(cidr string) (bool, error)) (int, error) {
	others, err := filepath.Glob(filepath.Join(root, "*", file))
	if err != nil {
		return 0, fmt.Errorf("list instances: %w", err)
	}
	taken := map[int]bool{}
	for _, other := range others {
		i, err := Load(filepath.Dir(other))
		if err != nil {
			return 0, err
		}
		taken[i.Octet] = true
	}
	for octet := firstOctet; octet <= lastOctet; octet++ {
		used, err := inUse(Instance{Octet: octet}.CIDR())
		if err != nil {
			return 0, err
		}
		if !taken[octet] && !used {
			return octet, nil
		}
	}
	return 0, fmt.Errorf("every address range from 10.%d.0.0/16 to 10.%d.0.0/16 is in use; free one of them",
		firstOctet, lastOctet)
}

// save writes the file by rename, so that a kill leaves the old one or the new one.
func (i Instance) save() error {
	content, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return fmt.Errorf("encode instance: %w", err)
	}
	if err := os.MkdirAll(i.Dir, 0o700); err != nil {
		return fmt.Errorf("make instance folder: %w", err)
	}
	tmp := i.Path(file + ".new")
	if err := os.WriteFile(tmp, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write instance: %w", err)
	}
	if err := os.Rename(tmp, i.Path(file)); err != nil {
		return fmt.Errorf("publish instance: %w", err)
	}
	return nil
}
