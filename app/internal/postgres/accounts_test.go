package postgres

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/account"
)

// newUser stores a tenant with its owner.
func newUser(t *testing.T, pool *pgxpool.Pool, text string) *account.User {
	t.Helper()
	tenant := &account.Tenant{ID: newID(t), Name: text, CreatedAt: now()}
	user := &account.User{
		ID: newID(t), TenantID: tenant.ID, Email: newID(t) + text, Role: account.RoleOwner, PasswordHash: text,
		CreatedAt: now(),
	}
	check(t, NewAccounts(pool).CreateTenant(t.Context(), tenant, user))
	return user
}

func newKey(t *testing.T, user *account.User, text string) *account.APIKey {
	t.Helper()
	expires := now().Add(time.Hour)
	return &account.APIKey{
		ID: newID(t), TenantID: user.TenantID, UserID: user.ID, Name: text, KeyHash: []byte{0, 1, 255},
		Scopes: []account.Scope{account.ScopeChat, account.Scope(text)}, RequestsPerMinute: 7, TokensPerDay: 1 << 40,
		ExpiresAt: &expires, CreatedAt: now(),
	}
}

func newLogin(t *testing.T, user *account.User, expires time.Time) *account.Login {
	t.Helper()
	return &account.Login{
		ID: newID(t), TenantID: user.TenantID, UserID: user.ID, TokenHash: []byte{0, 1, 255}, ExpiresAt: expires,
		CreatedAt: now(),
	}
}

// wantSame compares as JSON-like text, in which the same instant in two time zones is one.
func wantSame[T any](t *testing.T, got, want *T) {
	t.Helper()
	text := func(v *T) string {
		fields, parts := reflect.ValueOf(v).Elem(), []string{}
		for i := range fields.NumField() {
			value := fields.Field(i).Interface()
			if at, ok := value.(*time.Time); ok && at != nil {
				value = *at
			}
			if at, ok := value.(time.Time); ok {
				value = at.UTC()
			}
			parts = append(parts, fmt.Sprintf("%s=%v", fields.Type().Field(i).Name, value))
		}
		return fmt.Sprint(parts)
	}
	if text(got) != text(want) {
		t.Errorf("got  %s\nwant %s", text(got), text(want))
	}
}

func TestAccountsKeepText(t *testing.T) {
	t.Parallel()
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		accounts, ctx := NewAccounts(pool), t.Context()
		for _, text := range awkward {
			user := newUser(t, pool, text)
			byEmail, err := accounts.UserByEmail(ctx, user.Email)
			check(t, err)
			wantSame(t, byEmail, user)
			byID, err := accounts.UserByID(ctx, user.ID)
			check(t, err)
			wantSame(t, byID, user)
			key := newKey(t, user, text)
			check(t, accounts.CreateKey(ctx, key))
			found, err := accounts.KeyByID(ctx, key.ID)
			check(t, err)
			wantSame(t, found, key)
		}
		user := newUser(t, pool, "")
		for _, text := range []string{"a\x00b", "a\xffb"} {
			changed := *user
			changed.ID, changed.Email = newID(t), text
			wantProblem(t, accounts.CreateUser(ctx, &changed), "invalid_value")
			wantProblem(t, accounts.CreateKey(ctx, newKey(t, user, text)), "invalid_value")
			_, err := accounts.UserByEmail(ctx, text)
			wantProblem(t, err, "not_found")
		}
	})
}

func TestAccountsRefuse(t *testing.T) {
	t.Parallel()
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		accounts, ctx := NewAccounts(pool), t.Context()
		user := newUser(t, pool, "")
		stranger := newUser(t, pool, "")
		again := *user
		again.ID = newID(t)
		wantProblem(t, accounts.CreateUser(ctx, &again), "email_taken")
		other := &account.Tenant{ID: newID(t), CreatedAt: now()}
		again.TenantID = other.ID
		wantProblem(t, accounts.CreateTenant(ctx, other, &again), "email_taken")
		if n := count(t, pool, ofTenant(other.ID), "SELECT count(*) FROM tenants", nil); n != 0 {
			t.Error("the tenant was stored without its owner")
		}
		again.Email = "free@example.com"
		wantProblem(t, accounts.CreateUser(ctx, &again), "not_found") // no such tenant
		mixed := newKey(t, user, "")
		mixed.UserID = stranger.ID
		wantProblem(t, accounts.CreateKey(ctx, mixed), "not_found")
		login := newLogin(t, user, now().Add(time.Hour))
		login.UserID = stranger.ID
		wantProblem(t, accounts.CreateLogin(ctx, login), "not_found")
		for _, id := range []string{newID(t), "", "x", "'; --", "{" + newID(t) + "}"} {
			_, err := accounts.UserByID(ctx, id)
			wantProblem(t, err, "not_found")
			_, err = accounts.LoginByID(ctx, id)
			wantProblem(t, err, "not_found")
			_, err = accounts.KeyByID(ctx, id)
			wantProblem(t, err, "not_found")
			wantProblem(t, accounts.RevokeLogin(ctx, id), "not_found")
			wantProblem(t, accounts.RevokeKey(ctx, user.TenantID, id), "not_found")
		}
	})
}

func TestLoginRotatesOnce(t *testing.T) {
	t.Parallel()
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		accounts, ctx := NewAccounts(pool), t.Context()
		user := newUser(t, pool, "")
		login := newLogin(t, user, now().Add(time.Hour))
		check(t, accounts.CreateLogin(ctx, login))
		found, err := accounts.LoginByID(ctx, login.ID)
		check(t, err)
		wantSame(t, found, login)
		var won atomic.Int32
		var group sync.WaitGroup
		later := now().Add(2 * time.Hour)
		for i := range 20 {
			group.Go(func() {
				rotated, err := accounts.RotateLogin(ctx, login.ID, login.TokenHash, []byte{2, byte(i)}, later)
				if err != nil {
					t.Error(err)
				}
				if rotated {
					won.Add(1)
				}
			})
		}
		group.Wait()
		found, err = accounts.LoginByID(ctx, login.ID)
		check(t, err)
		if won.Load() != 1 || bytes.Equal(found.TokenHash, login.TokenHash) || !found.ExpiresAt.Equal(later) {
			t.Errorf("%d rotations won, want 1: %+v", won.Load(), found)
		}
		check(t, accounts.RevokeLogin(ctx, login.ID))
		first, err := accounts.LoginByID(ctx, login.ID)
		check(t, err)
		check(t, accounts.RevokeLogin(ctx, login.ID))
		second, err := accounts.LoginByID(ctx, login.ID)
		check(t, err)
		if first.RevokedAt == nil || !first.RevokedAt.Equal(*second.RevokedAt) {
			t.Errorf("revoked at %v, then %v", first.RevokedAt, second.RevokedAt)
		}
		rotated, err := accounts.RotateLogin(ctx, login.ID, found.TokenHash, []byte{3}, later)
		if rotated || err != nil {
			t.Errorf("a revoked login rotates: %t, %v", rotated, err)
		}
	})
}

func TestExpiredLoginsGo(t *testing.T) {
	t.Parallel()
	pool, ctx := open(t, migrated(t).URL()), t.Context()
	accounts := NewAccounts(pool)
	user := newUser(t, pool, "")
	expired, current := newLogin(t, user, now().Add(-time.Hour)), newLogin(t, user, now().Add(time.Hour))
	for _, login := range []*account.Login{expired, current, newLogin(t, user, now().Add(time.Hour))} {
		check(t, accounts.CreateLogin(ctx, login))
	}
	_, err := accounts.LoginByID(ctx, expired.ID)
	wantProblem(t, err, "not_found")
	_, err = accounts.LoginByID(ctx, current.ID)
	check(t, err)
}

func TestKeysByPage(t *testing.T) {
	t.Parallel()
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		accounts, ctx := NewAccounts(pool), t.Context()
		user := newUser(t, pool, "")
		stranger := newUser(t, pool, "")
		var want []string
		for range 5 {
			key := newKey(t, user, "")
			want = append([]string{key.ID}, want...)
			check(t, accounts.CreateKey(ctx, key))
			check(t, accounts.CreateKey(ctx, newKey(t, stranger, "")))
		}
		wantProblem(t, accounts.RevokeKey(ctx, stranger.TenantID, want[0]), "not_found")
		check(t, accounts.RevokeKey(ctx, user.TenantID, want[1]))
		var got []string
		for before := ""; ; before = got[len(got)-1] {
			page, err := accounts.Keys(ctx, user.TenantID, 2, before)
			check(t, err)
			for _, key := range page {
				got = append(got, key.ID)
				if revoked := key.RevokedAt != nil; revoked != (key.ID == want[1]) {
					t.Errorf("key %s is revoked: %t", key.ID, revoked)
				}
			}
			if len(page) < 2 {
				break
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
