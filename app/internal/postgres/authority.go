package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// readAuthority makes a new connection trust the authority that is in the file of sslrootcert now: it is renewed in
// place while the process runs. Whatever else sslmode asks for stays as pgx makes it of the URL, which it parsed
// before.
func readAuthority(databaseURL string) func(context.Context, *pgx.ConnConfig) error {
	return func(_ context.Context, config *pgx.ConnConfig) error {
		fresh, err := pgx.ParseConfig(databaseURL)
		if err != nil {
			return fmt.Errorf("read authority of the database: %w", causeOf(err))
		}
		config.TLSConfig, config.Fallbacks = fresh.TLSConfig, fresh.Fallbacks
		return nil
	}
}

// causeOf leaves the URL out of pgx's error: what it masks is its best guess at the password.
func causeOf(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return cause
	}
	return errors.New("not a valid URL")
}
