package pgdump

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"agentstack/app/internal/backup"
)

// closeTimeout bounds the orderly end of a connection.
const closeTimeout = 5 * time.Second

// table is a table with the SQL text of its quoted name and of its columns, ordered by name.
type table struct {
	schema, name, quoted, columns string
}

// listTables returns the tables with rows of their own, partitions among them. pg_dump leaves out those that belong
// to an extension.
func listTables(ctx context.Context, connection *pgx.Conn) ([]table, error) {
	const query = `
SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname),
       (SELECT coalesce(string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attname COLLATE "C"), '')
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`
	rows, err := connection.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (table, error) {
		var t table
		return t, row.Scan(&t.schema, &t.name, &t.quoted, &t.columns)
	})
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return tables, nil
}

// pinSettings makes the text form of values independent of the settings of the server, database and role; lets a
// policy that hides rows fail instead of hiding them; and takes away the timeouts for long transactions.
func pinSettings(ctx context.Context, connection *pgx.Conn) error {
	const query = `
SELECT set_config(s.name, v.value, true)
FROM (VALUES ('search_path', ''), ('DateStyle', 'ISO, MDY'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'),
             ('extra_float_digits', '3'), ('bytea_output', 'hex'), ('lc_monetary', 'C'),
             ('quote_all_identifiers', 'off'), ('row_security', 'off'), ('lock_timeout', '` + lockTimeout + `'),
             ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
             ('transaction_timeout', '0')) AS v (name, value)
JOIN pg_settings s ON s.name = v.name`
	if _, err := connection.Exec(ctx, query); err != nil {
		return fmt.Errorf("set parameters: %w", err)
	}
	return nil
}

// measure computes what backup.Table describes in one pass over each table.
func measure(ctx context.Context, connection *pgx.Conn, tables []table) ([]backup.Table, error) {
	const query = `
SELECT count(*), coalesce(sum(('x' || encode(substr(sha256(convert_to(ROW(%s)::text, 'UTF8')), 1, 8), 'hex')
                              )::bit(64)::bigint), 0)::text
FROM ONLY %s AS t`
	measured := []backup.Table{}
	for _, table := range tables {
		result := backup.Table{Schema: table.schema, Name: table.name}
		row := connection.QueryRow(ctx, fmt.Sprintf(query, table.columns, table.quoted))
		if err := row.Scan(&result.Rows, &result.Checksum); err != nil {
			return nil, fmt.Errorf("measure table %s: %w", result, err)
		}
		measured = append(measured, result)
	}
	return measured, nil
}
