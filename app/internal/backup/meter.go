package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// meter measures what is read through it.
type meter struct {
	reader io.Reader
	hash   hash.Hash
	size   int64
}

func newMeter(reader io.Reader) *meter { return &meter{reader: reader, hash: sha256.New()} }

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.reader.Read(p)
	m.size += int64(n)
	m.hash.Write(p[:n])
	return n, err
}

func (m *meter) sum() string { return hex.EncodeToString(m.hash.Sum(nil)) }

// compare says whether what was read is the archive that the manifest describes.
func (m *meter) compare(manifest Manifest) error {
	if m.size != manifest.Size || m.sum() != manifest.SHA256 {
		return fmt.Errorf("the stored dump of backup %s is damaged: %d bytes with SHA-256 %s, want %d bytes with %s",
			manifest.ID, m.size, m.sum(), manifest.Size, manifest.SHA256)
	}
	return nil
}
