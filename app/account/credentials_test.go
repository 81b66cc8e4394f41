package account

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/problem"
)

// Only the first request waits for a store that hangs, and not for long.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		by := f.owner(t)
		_, text := f.key(t, by, KeySpec{})
		_, other := f.key(t, by, KeySpec{})
		if _, err := f.Authenticate(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		f.store.hold = make(chan struct{})
		time.Sleep(credentialAge)
		for i := range 30 {
			start := time.Now()
			if _, err := f.Authenticate(t.Context(), text); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > goodWait || i > 0 && took > 0 {
				t.Errorf("request %d waited %s", i, took)
			}
			time.Sleep(time.Second)
		}
		start := time.Now()
		_, err := f.Authenticate(t.Context(), other)
		wantCode(t, err, problem.Unavailable, "storage_unavailable")
		if took := time.Since(start); took != lookupTimeout {
			t.Errorf("an unknown key waited %s", took)
		}
		synctest.Wait()
		close(f.store.hold)
	})
}

func TestOneLookupForManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		_, text := f.key(t, f.owner(t), KeySpec{})
		f.store.hold = make(chan struct{})
		first, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := f.Authenticate(first, text); err == nil {
				t.Error("a caller that has gone got an answer")
			}
		})
		synctest.Wait()
		for range 50 {
			group.Go(func() {
				if _, err := f.Authenticate(t.Context(), text); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel() // the one that asked the store goes away
		synctest.Wait()
		close(f.store.hold)
		group.Wait()
		if got := f.store.count("KeyByID"); got != 1 {
			t.Errorf("%d lookups", got)
		}
	})
}

// A lookup that began before a revocation must not bring the credential back.
func TestRevocationDuringLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		by := f.owner(t)
		key, _ := f.key(t, by, KeySpec{})
		var c credentials
		release := make(chan struct{})
		go func() {
			_, _ = c.load(t.Context(), key.ID, func(context.Context, string) (*credential, error) {
				<-release
				return &credential{known: true}, nil
			})
		}()
		synctest.Wait()
		c.forget(key.ID)
		close(release)
		synctest.Wait()
		if found, ok := c.recent(key.ID); ok {
			t.Errorf("kept %+v", found)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	var c credentials
	add := func(id string, known bool) {
		find := func(context.Context, string) (*credential, error) { return &credential{known: known}, nil }
		if _, err := c.load(t.Context(), id, find); err != nil {
			t.Fatal(err)
		}
	}
	const good = 500
	for i := range good {
		add(fmt.Sprintf("good %d", i), true)
	}
	for i := range maxCredentials + 1000 {
		add(fmt.Sprintf("made up %d", i), false)
	}
	if got := len(c.entries); got != maxCredentials {
		t.Errorf("%d entries", got)
	}
	for i := range good {
		if c.entries[fmt.Sprintf("good %d", i)] == nil {
			t.Fatal("made-up ids pushed out a real one")
		}
	}
	for i := range maxCredentials {
		add(fmt.Sprintf("also good %d", i), true)
	}
	if got := len(c.entries); got != maxCredentials {
		t.Errorf("%d entries", got)
	}
}
