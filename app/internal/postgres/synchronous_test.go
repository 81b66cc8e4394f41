package postgres

import (
	"context"
	"testing"

	"agentstack/app/account"
	"agentstack/app/internal/testenv"
)

// TestNothingIsDoneUntilAReplicaHasIt has a server that waits for a replica which does not exist. An attempt that is
// given up leaves its rows behind, and the next one meets them: it may not report what no replica has as done.
func TestNothingIsDoneUntilAReplicaHasIt(t *testing.T) {
	t.Parallel()
	server := migrated(t)
	admin := open(t, server.URLOf(testenv.Superuser, "postgres"))
	for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"} {
		_, err := admin.Exec(t.Context(), sql)
		check(t, err)
	}
	pool := open(t, server.URL())
	exchanges := newExchanges(pool)
	tenant := &account.Tenant{ID: newID(t), Name: "Tenant", CreatedAt: now()}
	owner := &account.User{
		ID: newID(t), TenantID: tenant.ID, Email: newID(t), Role: account.RoleOwner, CreatedAt: now(),
	}
	waits := map[string]func(context.Context) error{
		"exchange": func(ctx context.Context) error { return exchanges.Save(ctx, newExchange("one")) },
		"tenant":   func(ctx context.Context) error { return NewAccounts(pool).CreateTenant(ctx, tenant, owner) },
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), attemptTimeout+2*insertTimeout)
			defer cancel()
			if err := wait(ctx); err == nil {
				t.Error("it is reported as done, and no replica has it")
			}
		})
	}
}
