package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"
)

// unfinished ends the name of a database that is being restored. It gets its own name when it has been compared with
// the manifest, so that a restore that was killed leaves nothing that looks whole.
const unfinished = "_restoring"

// namePattern allows names that need no quotes, and leaves room for unfinished within PostgreSQL's 63 bytes.
var namePattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,52}$`)

// ValidateDatabase reports a name that a restored database cannot have.
func ValidateDatabase(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%q cannot be the name of the new database: want at most 53 lower-case letters, digits "+
			"and _, not starting with a digit", name)
	}
	return nil
}

// Restore makes a database of that name from a backup, which may be Latest, and compares every table with the
// manifest. It refuses when the database exists. After an error there is no database of that name.
func (s *Service) Restore(ctx context.Context, id, database string) (Manifest, error) {
	if err := ValidateDatabase(database); err != nil {
		return Manifest{}, err
	}
	manifest, err := s.find(ctx, id)
	if err != nil {
		return Manifest{}, err
	}
	temporary := database + unfinished
	if err := s.refuseExisting(ctx, database, temporary); err != nil {
		return Manifest{}, err
	}
	started := time.Now()
	s.Log.Info("restore started", "backup", manifest.ID, "database", database, "size", manifest.Size)
	if err := s.Target.Create(ctx, temporary, manifest.Owner); err != nil {
		return Manifest{}, fmt.Errorf("create database %s: %w", temporary, err)
	}
	if err := s.fill(ctx, manifest, temporary, database); err != nil {
		return Manifest{}, errors.Join(err, s.drop(ctx, temporary))
	}
	s.Log.Info("restore complete", "backup", manifest.ID, "database", database,
		"duration", time.Since(started).String())
	return manifest, nil
}

func (s *Service) refuseExisting(ctx context.Context, database, temporary string) error {
	exists, err := s.Target.Exists(ctx, database)
	if err != nil {
		return err
	}
	if exists {
		return fmt.Errorf("database %s exists and is left as it is: give the name of a new one", database)
	}
	if exists, err = s.Target.Exists(ctx, temporary); err != nil {
		return err
	}
	if exists {
		return fmt.Errorf("database %s exists: another restore is running, or was killed; "+
			"in the latter case drop it, or give another name", temporary)
	}
	return nil
}

// fill restores into the temporary database and gives it its name.
func (s *Service) fill(ctx context.Context, manifest Manifest, temporary, database string) error {
	if err := s.readDump(ctx, manifest, temporary); err != nil {
		return err
	}
	tables, err := s.Target.Tables(ctx, temporary)
	if err != nil {
		return fmt.Errorf("measure restored tables: %w", err)
	}
	if err := compareTables(manifest.Tables, tables); err != nil {
		return fmt.Errorf("the restored database differs from backup %s:\n%w", manifest.ID, err)
	}
	if err := s.Target.Rename(ctx, temporary, database); err != nil {
		return fmt.Errorf("rename database %s to %s: %w", temporary, database, err)
	}
	return nil
}

// readDump passes the archive to the target. A damaged archive is reported as such, whatever the target made of it.
func (s *Service) readDump(ctx context.Context, manifest Manifest, database string) error {
	archive, err := s.Store.Get(ctx, s.dumpKey(manifest.ID))
	if err != nil {
		return fmt.Errorf("open dump: %w", err)
	}
	defer archive.Close()
	meter := newMeter(archive)
	restored := s.Target.Restore(ctx, database, manifest.Owner, meter)
	if ctx.Err() != nil {
		return fmt.Errorf("restore dump: %w", context.Cause(ctx))
	}
	if _, err := io.Copy(io.Discard, meter); err != nil {
		return errors.Join(fmt.Errorf("read dump: %w", err), restored)
	}
	return errors.Join(meter.compare(manifest), restored)
}

func (s *Service) drop(ctx context.Context, database string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := s.Target.Drop(ctx, database); err != nil {
		return fmt.Errorf("drop the unfinished database %s, please do it by hand: %w", database, err)
	}
	s.Log.Info("unfinished database dropped", "database", database)
	return nil
}

// compareTables reports every table that is missing, unexpected or different.
func compareTables(want, got []Table) error {
	var problems []error
	for _, table := range want {
		i := slices.IndexFunc(got, table.sameName)
		switch {
		case i < 0:
			problems = append(problems, fmt.Errorf("table %s is missing", table))
		case got[i] != table:
			problems = append(problems, fmt.Errorf("table %s has %d rows with checksum %s, want %d rows with %s",
				table, got[i].Rows, got[i].Checksum, table.Rows, table.Checksum))
		}
	}
	for _, table := range got {
		if !slices.ContainsFunc(want, table.sameName) {
			problems = append(problems, fmt.Errorf("table %s is not in the backup", table))
		}
	}
	return errors.Join(problems...)
}
