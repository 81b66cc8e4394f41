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

// Postgres asks the instances of a cluster. Its role needs no privilege but to connect.
type Postgres struct{ config *pgx.ConnConfig }

// NewPostgres takes the URL of any of the cluster's Services: the host in it is the name that the instances'
// certificate has to show.
func NewPostgres(url string) (Postgres, error) {
	config, err := pgx.ParseConfig(url)
	return Postgres{config}, err
}

// Probe implements Database. It connects to the instance itself, so that there is no doubt which one answers. The
// connection is new each time: an instance that cannot open its files refuses even that.
func (p Postgres) Probe(ctx context.Context, address netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	config := p.config.Copy()
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{address.String()}, nil }
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return classify(fmt.Errorf("connect: %w", err))
	}
	defer connection.Close(ctx)
	// This creates a file in the data directory until the end of the transaction, which is that of the statement. It
	// needs no table, takes no transaction id and writes no WAL.
	if _, err = connection.Exec(ctx, "SELECT pg_export_snapshot()"); err != nil {
		return classify(fmt.Errorf("export snapshot: %w", err))
	}
	return nil
}

// classify marks an error as ErrReadOnly if it says that the file system refused to make or open a file for writing.
// PostgreSQL maps EROFS, EACCES and EPERM to insufficient_privilege and EIO to io_error, in errcode_for_file_access of
// elog.c. The routines, those of an exported snapshot and of a table's file, tell them from a missing privilege in the
// database, which has the same SQLSTATE. A full disk has one of its own.
func classify(err error) error {
	var answer *pgconn.PgError
	if errors.As(err, &answer) && (answer.Code == "42501" || answer.Code == "58030") &&
		(answer.Routine == "ExportSnapshot" || answer.Routine == "mdopenfork") {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}
