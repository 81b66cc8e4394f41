package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// epoch is the time of every file made during a build, so that equal content gives equal layers.
// It is the day trixie was released.
var epoch = time.Date(2025, 8, 9, 0, 0, 0, 0, time.UTC)

const (
	whiteout        = ".wh."
	capabilityXattr = "security.capability"
)

// notPacked are paths that a container runtime provides, or that exist only while a root is filled.
var notPacked = []string{"dev", "proc", "sys", "etc/resolv.conf", "etc/hosts", "etc/hostname"}

// layerWriter packs what a root has beyond the layers below it.
type layerWriter struct {
	out   *tar.Writer
	root  string
	below map[string]*tar.Header
	// made is when filling the root began: a later file gets the time epoch.
	made  time.Time
	seen  map[string]bool
	links map[uint64]string
}

// writeLayer writes the tar of one layer: every path of root that differs from below, and a whiteout for
// every path of below that is gone from root. Below maps paths to headers, and is empty for a first layer.
func writeLayer(out io.Writer, root string, below map[string]*tar.Header, made time.Time) error {
	w := &layerWriter{
		out: tar.NewWriter(out), root: root, below: below, made: made.Truncate(time.Second),
		seen: map[string]bool{}, links: map[uint64]string{},
	}
	if err := filepath.WalkDir(root, w.visit); err != nil {
		return fmt.Errorf("pack %s: %w", root, err)
	}
	if err := w.whiteouts(); err != nil {
		return fmt.Errorf("pack whiteouts: %w", err)
	}
	return w.out.Close()
}

func (w *layerWriter) visit(file string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(w.root, file)
	if err != nil || name == "." {
		return err
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	w.seen[name] = true
	skipped := slices.Contains(notPacked, name)
	if skipped && !entry.IsDir() {
		return nil
	}
	if info.Mode()&fs.ModeSocket == 0 {
		if err := w.pack(file, name, info); err != nil {
			return err
		}
	}
	if skipped {
		return fs.SkipDir
	}
	return nil
}

func (w *layerWriter) pack(file, name string, info fs.FileInfo) error {
	header, err := w.header(file, name, info)
	if err != nil {
		return err
	}
	if old, ok := w.below[name]; ok && same(old, header, info) {
		return nil
	}
	if header.ModTime.After(w.made) || header.ModTime.Equal(w.made) {
		header.ModTime = epoch
	}
	if err := w.out.WriteHeader(header); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(w.out, content)
	return err
}

func (w *layerWriter) header(file, name string, info fs.FileInfo) (*tar.Header, error) {
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = os.Readlink(file); err != nil {
			return nil, err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return nil, err
	}
	header.Name = name
	if info.IsDir() {
		header.Name += "/"
	}
	header.Uname, header.Gname = "", ""
	header.ModTime = info.ModTime().Truncate(time.Second)
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	if err := addCapability(header, file, info); err != nil {
		return nil, err
	}
	w.link(header, name, info)
	return header, nil
}

// link turns the second and later names of a file into hard links to its first one.
func (w *layerWriter) link(header *tar.Header, name string, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || stat.Nlink < 2 {
		return
	}
	if first, ok := w.links[stat.Ino]; ok {
		header.Typeflag, header.Linkname, header.Size = tar.TypeLink, first, 0
		return
	}
	w.links[stat.Ino] = name
}

func addCapability(header *tar.Header, file string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return nil
	}
	value := make([]byte, 64)
	size, err := unix.Lgetxattr(file, capabilityXattr, value)
	if err == unix.ENODATA || err == unix.ENOTSUP {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read capabilities of %s: %w", file, err)
	}
	header.PAXRecords = map[string]string{"SCHILY.xattr." + capabilityXattr: string(value[:size])}
	return nil
}

// same compares without reading contents: a file changed while a root is filled has a new time. The time of
// a directory says nothing about the directory itself.
func same(old, current *tar.Header, info fs.FileInfo) bool {
	if old.Mode != current.Mode || old.Uid != current.Uid || old.Gid != current.Gid {
		return false
	}
	if info.IsDir() {
		return old.Typeflag == tar.TypeDir
	}
	if old.Typeflag == tar.TypeLink && current.Typeflag == tar.TypeReg {
		return old.ModTime.Equal(current.ModTime)
	}
	return old.Typeflag == current.Typeflag && old.Linkname == current.Linkname &&
		old.Size == current.Size && old.ModTime.Equal(current.ModTime)
}

// whiteouts marks what is gone, the topmost directory only.
func (w *layerWriter) whiteouts() error {
	var gone []string
	for name := range w.below {
		if parent := path.Dir(name); !w.seen[name] && (parent == "." || w.seen[parent]) {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	for _, name := range gone {
		mark := path.Join(path.Dir(name), whiteout+path.Base(name))
		if err := w.out.WriteHeader(&tar.Header{Name: mark, Typeflag: tar.TypeReg, ModTime: epoch}); err != nil {
			return err
		}
	}
	return nil
}

// readHeaders returns the headers of a layer by path.
func readHeaders(layer io.Reader) (map[string]*tar.Header, error) {
	headers := map[string]*tar.Header{}
	for in := tar.NewReader(layer); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return headers, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read layer: %w", err)
		}
		headers[strings.TrimSuffix(header.Name, "/")] = header
	}
}
