package pgdump

import (
	"context"
	"log/slog"
	"testing"

	"agentstack/app/internal/backup"
	"agentstack/app/internal/testenv"
)

// TestChecksum compares tables that differ in one respect.
func TestChecksum(t *testing.T) {
	t.Parallel()
	postgres := testenv.NewPostgres(t)
	server, err := New(postgres.URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		one, other string
		same       bool
	}{
		"order of rows":       {"VALUES (1), (2), (3)", "VALUES (3), (1), (2)", true},
		"order of columns":    {"SELECT 1 AS a, 2 AS b", "SELECT 2 AS b, 1 AS a", true},
		"swapped columns":     {"SELECT 1 AS a, 2 AS b", "SELECT 2 AS a, 1 AS b", false},
		"repeated pairs":      {"VALUES (1), (1), (2)", "VALUES (1), (2), (2)", false},
		"even repetition":     {"VALUES (1), (1)", "VALUES (2), (2)", false},
		"null or empty":       {"VALUES (NULL::text)", "VALUES (''::text)", false},
		"null or its name":    {"VALUES (NULL::text)", "VALUES ('NULL'::text)", false},
		"not a number":        {"VALUES ('NaN'::float8)", "VALUES ('Infinity'::float8)", false},
		"minus zero":          {"VALUES (0::float8)", "VALUES ('-0'::float8)", false},
		"last digit":          {"VALUES (0.1::float8)", "VALUES (0.10000000000000002::float8)", false},
		"trailing zero":       {"VALUES (1.0)", "VALUES (1.00)", false},
		"moved comma":         {"VALUES ('a,b', 'c')", "VALUES ('a', 'b,c')", false},
		"one byte":            {`VALUES ('\x00ff'::bytea)`, `VALUES ('\x00fe'::bytea)`, false},
		"space in json":       {`VALUES ('{"a":1}'::json)`, `VALUES ('{"a": 1}'::json)`, false},
		"space in jsonb":      {`VALUES ('{"a":1}'::jsonb)`, `VALUES ('{"a": 1}'::jsonb)`, true},
		"microsecond":         {"VALUES (time '10:00')", "VALUES (time '10:00:00.000001')", false},
		"time zone of input":  {"VALUES (timetz '00:00Z'), (NULL)", "VALUES (NULL), (timetz '00:00+00')", true},
		"row without columns": {"SELECT", "SELECT WHERE false", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			one, other := measureQuery(t, server, test.one), measureQuery(t, server, test.other)
			if (one == other) != test.same {
				t.Errorf("%+v and %+v, want same: %t", one, other, test.same)
			}
		})
	}
}

func measureQuery(t *testing.T, server *Server, query string) backup.Table {
	t.Helper()
	connection, err := server.connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(context.Background())
	for _, statement := range []string{"DROP TABLE IF EXISTS subject", "CREATE TABLE subject AS " + query} {
		if _, err := connection.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	tables, err := server.Tables(t.Context(), "postgres")
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables %v, error %v", tables, err)
	}
	return tables[0]
}

func TestWithout(t *testing.T) {
	contents := `;
; Archive created at 2026-11-23 02:00:00 UTC
;
2; 3079 16385 EXTENSION - vector 
3368; 0 0 COMMENT - EXTENSION vector 
3; 3079 16400 EXTENSION - hstore 
3369; 0 0 COMMENT - EXTENSION hstore 
215; 1259 16500 TABLE public EXTENSION - vector app
`
	want := `;
; Archive created at 2026-11-23 02:00:00 UTC
;
3; 3079 16400 EXTENSION - hstore 
3369; 0 0 COMMENT - EXTENSION hstore 
215; 1259 16500 TABLE public EXTENSION - vector app
`
	if got := without(contents, []string{"plpgsql", "vector"}); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
