package guard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// probeTimeout bounds a probe, the connection included.
const probeTimeout = 3 * time.Second

// Postgres is the primary that a URL leads to. Its role needs no privilege but to connect.
type Postgres struct{ URL string }

// Probe implements Primary. Each one has a connection of its own, since an old one would lead to a former primary.
func (p Postgres) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	connection, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer connection.Close(ctx)
	// This creates a file in the data directory until the end of the transaction, which is that of the statement. It
	// needs no table, takes no transaction id and writes no WAL.
	_, err = connection.Exec(ctx, "SELECT pg_export_snapshot()")
	if err == nil {
		return nil
	}
	err = fmt.Errorf("export snapshot: %w", err)
	if !refused(err) {
		return err
	}
	var address netip.Addr
	var recovering bool
	row := connection.QueryRow(ctx, "SELECT inet_server_addr(), pg_is_in_recovery()")
	if failed := row.Scan(&address, &recovering); failed != nil {
		return fmt.Errorf("%w; ask which instance that was: %w", err, failed)
	}
	if recovering {
		return fmt.Errorf("%s is a replica: %w", address, err)
	}
	return &ReadOnlyError{Address: address, Err: err}
}

// refused says whether the file system refused to write an exported snapshot. PostgreSQL maps EROFS, EACCES and EPERM
// to insufficient_privilege and EIO to io_error, in errcode_for_file_access of elog.c. The routine tells them from a
// missing privilege on the function, which has the same SQLSTATE. A full disk has one of its own.
func refused(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Routine == "ExportSnapshot" &&
		(answer.Code == "42501" || answer.Code == "58030")
}
