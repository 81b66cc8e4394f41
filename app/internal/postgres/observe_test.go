package postgres

import "testing"

func TestTargetOf(t *testing.T) {
	for sql, want := range map[string]target{
		"SELECT id, name\n\t FROM agents WHERE id = $1":                    {"select", "agents"},
		"INSERT INTO exchanges (id) VALUES ($1)":                           {"insert", "exchanges"},
		"update logins set revoked_at = now()":                             {"update", "logins"},
		"DELETE FROM documents WHERE id = $1":                              {"delete", "documents"},
		"WITH old AS (SELECT id FROM keys) DELETE FROM keys USING old":     {"delete", "keys"},
		"SELECT id FROM messages WHERE session_id = $1 FOR UPDATE":         {"select", "messages"},
		"SELECT set_config('a', 'b', true)":                                {},
		"begin":                                                            {},
		"SELECT pg_is_in_recovery(), to_regclass('exchanges') IS NOT NULL": {},
	} {
		if got := targetOf(sql); got != want {
			t.Errorf("%s: %v, want %v", sql, got, want)
		}
	}
}
