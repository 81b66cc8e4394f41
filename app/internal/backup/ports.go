package backup

import (
	"context"
	"io"
	"time"
)

// Source is the database that is backed up.
type Source interface {
	// Snapshot fixes what is seen of the database from now on. The caller closes it.
	Snapshot(ctx context.Context) (Snapshot, error)
}

// Snapshot is the state of a database at one moment.
type Snapshot interface {
	// About describes the database.
	About() About
	// Dump returns the archive as it is made. Its Read ends with io.EOF only when the whole archive was made;
	// otherwise it returns why not. Close ends the making.
	Dump(ctx context.Context) (io.ReadCloser, error)
	// Tables measures every table. It may run beside Dump.
	Tables(ctx context.Context) ([]Table, error)
	// Close releases the snapshot.
	Close()
}

// Target is the server that a backup is restored on.
type Target interface {
	// Exists says whether a database of that name exists.
	Exists(ctx context.Context, database string) (bool, error)
	// Create makes a database for the role owner. It fails if the database exists.
	Create(ctx context.Context, database, owner string) error
	// Restore reads an archive, not always to its end, into a new database.
	Restore(ctx context.Context, database, owner string, archive io.Reader) error
	// Tables measures every table of a database.
	Tables(ctx context.Context, database string) ([]Table, error)
	// Rename fails if there is a database of the new name.
	Rename(ctx context.Context, database, name string) error
	// Drop deletes a database.
	Drop(ctx context.Context, database string) error
}

// Store is a bucket.
type Store interface {
	// Put stores what content has until io.EOF. After an error, one of content included, there is no object.
	Put(ctx context.Context, key string, content io.Reader) error
	// Get opens an object; that it does not exist may show at the first Read.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// List returns the keys of all objects whose key starts with prefix.
	List(ctx context.Context, prefix string) ([]string, error)
	// Delete deletes an object; one that does not exist is no error.
	Delete(ctx context.Context, key string) error
	// DeleteUploads deletes uploads that began before a time and never ended.
	DeleteUploads(ctx context.Context, prefix string, before time.Time) error
}
