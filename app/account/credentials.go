package account

import (
	"context"
	"strings"
	"sync"
	"time"
)

const (
	// credentialAge is how long a lookup is used without asking the store again, so a revocation holds within it.
	credentialAge = 5 * time.Second
	// credentialGrace is how much longer a good credential is used while the store is away: about two failovers of
	// the database.
	credentialGrace = 60 * time.Second
	// lookupRetry is how often a store that is away is asked again for one credential.
	lookupRetry = time.Second
	// goodWait is how long requests with a credential that was good wait for one answer of the store.
	goodWait = 2 * time.Second
	// lookupTimeout bounds a lookup for credentials that are not known yet: as long as the store waits for its
	// database.
	lookupTimeout = 30 * time.Second
	// maxCredentials bounds the cache; an entry takes less than 1 KiB.
	maxCredentials = 10_000
	// evictionSample is how many entries are looked at to find one to drop.
	evictionSample = 8
)

// credential is what the store says of an API key or a login.
type credential struct {
	known, revoked bool
	hash           []byte    // of an API key
	expiresAt      time.Time // zero: never
	principal      Principal
}

// credentials caches lookups, also those that found nothing. The zero value is ready to use.
type credentials struct {
	mu      sync.Mutex
	entries map[string]*entry
	running map[string]*lookup
}

type entry struct {
	*credential
	at     time.Time // when the store said so
	failed time.Time // when the store last failed to answer since then; zero if it did not
}

// lookup is a question to the store, of which there is one at a time for an id.
type lookup struct {
	started time.Time
	done    chan struct{} // closed when found and err are set
	found   *credential
	err     error
}

// recent returns what needs no question now.
func (c *credentials) recent(id string) (*credential, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, now := c.entries[id], time.Now()
	if e == nil {
		return nil, false
	}
	if now.Sub(e.at) < credentialAge || now.Sub(e.failed) < lookupRetry && e.lasts(now) {
		return e.credential, true
	}
	return nil, false
}

// lasts tells whether the entry serves while the store is away.
func (e *entry) lasts(now time.Time) bool {
	return e.known && !e.revoked && now.Sub(e.at) < credentialAge+credentialGrace
}

// load asks the store. When that fails, a good credential of before may serve. One caller that goes away does not
// spoil the answer for others.
func (c *credentials) load(ctx context.Context, id string,
	find func(context.Context, string) (*credential, error)) (*credential, error) {
	c.mu.Lock()
	l := c.running[id]
	if l == nil {
		l = &lookup{started: time.Now(), done: make(chan struct{})}
		id = strings.Clone(id) // it may be a part of a longer text
		if c.running == nil {
			c.entries, c.running = map[string]*entry{}, map[string]*lookup{}
		}
		c.running[id] = l
		go c.run(context.WithoutCancel(ctx), id, l, find)
	}
	e := c.entries[id]
	started := time.Now()
	good := e != nil && e.lasts(started)
	c.mu.Unlock()
	left := goodWait - started.Sub(l.started)
	if good && (left <= 0 || started.Sub(e.failed) < credentialAge) {
		return e.credential, nil // the store was away just now; no need to wait for its next failure
	}
	var enough <-chan time.Time
	if good {
		enough = time.After(left)
	}
	select {
	case <-l.done:
		return l.found, l.err
	case <-enough:
		return e.credential, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *credentials) run(ctx context.Context, id string, l *lookup,
	find func(context.Context, string) (*credential, error)) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	asked := time.Now()
	found, err := find(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(l.done)
	l.found, l.err = found, err
	if c.running[id] != l {
		return // forgotten meanwhile: what was found may be older than the revocation
	}
	delete(c.running, id)
	e := c.entries[id]
	switch {
	case err == nil:
		c.makeRoom(id)
		c.entries[id] = &entry{credential: found, at: asked}
	case e != nil && e.lasts(time.Now()):
		c.entries[id] = &entry{credential: e.credential, at: e.at, failed: time.Now()}
		l.found, l.err = e.credential, nil
	}
}

// makeRoom drops an entry when the cache is full: one that was no credential, if it finds one soon, so that made-up
// ids do not push out real ones.
func (c *credentials) makeRoom(id string) {
	if _, ok := c.entries[id]; ok || len(c.entries) < maxCredentials {
		return
	}
	var victim string
	seen := 0
	for candidate, e := range c.entries { // in random order
		victim = candidate
		if seen++; !e.known || seen == evictionSample {
			break
		}
	}
	delete(c.entries, victim)
}

// forget makes the next lookup ask the store.
func (c *credentials) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, id)
	delete(c.running, id)
}
