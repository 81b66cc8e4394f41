package backup

import (
	"encoding/json"
	"fmt"
	"time"
)

// formatVersion is the version of the layout in the bucket and of the manifest. It rises when an older agentd could
// not restore what a newer one wrote.
const formatVersion = 1

// Manifest describes a complete backup. It is written last: a backup without one does not exist.
type Manifest struct {
	Format     int       `json:"format"`
	ID         string    `json:"id"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
	// AgentdVersion is the version of the program that made the backup.
	AgentdVersion string `json:"agentdVersion"`
	About
	// Size of the archive in bytes.
	Size int64 `json:"size"`
	// SHA256 of the archive, in hexadecimal digits.
	SHA256 string  `json:"sha256"`
	Tables []Table `json:"tables"`
}

// About describes a database and the programs around it.
type About struct {
	Database string `json:"database"`
	// Owner is the role that owns the database.
	Owner         string `json:"owner"`
	ServerVersion string `json:"serverVersion"`
	PgDumpVersion string `json:"pgDumpVersion"`
	// SchemaVersion is the newest migration that was applied. Nil: the database was never migrated.
	SchemaVersion *int64 `json:"schemaVersion,omitempty"`
}

// Table is what was measured of a table.
type Table struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	// Checksum is the sum, over all rows, of the first 8 bytes of the SHA-256 of the row, taken as a signed
	// big-endian integer. A row is the UTF-8 text form of the record of its columns, ordered by name. The order of
	// the rows does not matter, how often each occurs does.
	Checksum string `json:"checksum"`
}

// Rows returns the number of rows of all tables.
func (m Manifest) Rows() int64 {
	var rows int64
	for _, table := range m.Tables {
		rows += table.Rows
	}
	return rows
}

func (t Table) sameName(other Table) bool { return t.Schema == other.Schema && t.Name == other.Name }

// String returns the table's name with its schema.
func (t Table) String() string { return t.Schema + "." + t.Name }

func decodeManifest(id string, encoded []byte) (Manifest, error) {
	var manifest Manifest
	if err := json.Unmarshal(encoded, &manifest); err != nil {
		return Manifest{}, fmt.Errorf("decode manifest of backup %s: %w", id, err)
	}
	if manifest.Format != formatVersion {
		return Manifest{}, fmt.Errorf("backup %s has format %d, this agentd knows %d: use version %q, which made it",
			id, manifest.Format, formatVersion, manifest.AgentdVersion)
	}
	if manifest.ID != id {
		return Manifest{}, fmt.Errorf("the manifest of backup %s is that of %q", id, manifest.ID)
	}
	return manifest, nil
}
