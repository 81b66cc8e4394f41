package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// answerTimeout bounds a question to an instance, the connection included.
const answerTimeout = 2 * time.Second

// Postgres asks the instances of a cluster. Its role needs no privilege but to connect.
type Postgres struct{ config *pgx.ConnConfig }

// NewPostgres takes the URL of any of the cluster's Services: the host in it is the name that the instances'
// certificate has to show.
func NewPostgres(url string) (Postgres, error) {
	config, err := pgx.ParseConfig(url)
	return Postgres{config}, err
}

// Probe implements Database.
func (p Postgres) Probe(ctx context.Context, address netip.Addr) error {
	// This creates a file in the data directory until the end of the transaction, which is that of the statement. It
	// needs no table, takes no transaction id and writes no WAL.
	var snapshot string
	return p.ask(ctx, address, "SELECT pg_export_snapshot()", &snapshot)
}

// State implements Database.
func (p Postgres) State(ctx context.Context, address netip.Addr) (State, error) {
	// A connection that is not yet made, or was given up, has no row. The details of the row, the state among them, are
	// for other roles. A standby may have received what it has not replayed, and have replayed what it did not receive
	// but got from the archive.
	const statement = `SELECT standby, EXISTS (SELECT FROM pg_stat_wal_receiver), coalesce(CASE WHEN standby
		THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
		ELSE pg_current_wal_insert_lsn() END - '0/0'::pg_lsn, 0)::bigint
		FROM pg_is_in_recovery() AS standby`
	var s State
	err := p.ask(ctx, address, statement, &s.Standby, &s.Receiving, &s.Position)
	return s, err
}

// ask connects to the instance itself, so that there is no doubt which one answers. The connection is new each time: an
// instance that cannot open its files refuses even that.
func (p Postgres) ask(ctx context.Context, address netip.Addr, statement string, answer ...any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	config := p.config.Copy()
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{address.String()}, nil }
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return classify(fmt.Errorf("connect: %w", err))
	}
	defer connection.Close(ctx)
	if err := connection.QueryRow(ctx, statement).Scan(answer...); err != nil {
		return classify(fmt.Errorf("query: %w", err))
	}
	return nil
}

// classify marks an error as ErrReadOnly if it says that the file system refused to make or open a file for writing,
// and as ErrNoAnswer if nobody was heard.
//
// PostgreSQL maps EROFS, EACCES and EPERM to insufficient_privilege and EIO to io_error, in errcode_for_file_access of
// elog.c. The routines, those of an exported snapshot and of a table's file, tell them from a missing privilege in the
// database, which has the same SQLSTATE. A full disk has one of its own.
func classify(err error) error {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		if (answer.Code == "42501" || answer.Code == "58030") &&
			(answer.Routine == "ExportSnapshot" || answer.Routine == "mdopenfork") {
			return fmt.Errorf("%w: %w", ErrReadOnly, err)
		}
		return err
	}
	// The kernel says that there is no route when the machine of an address is not found in its own network.
	var network net.Error
	if errors.As(err, &network) && network.Timeout() || errors.Is(err, syscall.EHOSTUNREACH) {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return err
}
