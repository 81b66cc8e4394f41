package http

import (
	"sync"
	"time"
)

// readyGrace is how long a dependency that was there may be away before /ready says so. It goes away for all replicas
// at once: were they all taken out of the service during a switchover of the database, clients would be refused who can
// wait here. Requests wait for the database as long as that.
const readyGrace = 30 * time.Second

// grace remembers since when dependencies are away.
type grace struct {
	mutex sync.Mutex
	away  map[string]time.Time // zero: it is there; no entry: it never was
}

// covers takes the result of a check and tells whether the replica can still get requests.
func (g *grace) covers(name string, err error) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if err == nil {
		if g.away == nil {
			g.away = map[string]time.Time{}
		}
		g.away[name] = time.Time{}
		return true
	}
	since, known := g.away[name]
	if known && since.IsZero() {
		since = time.Now()
		g.away[name] = since
	}
	return known && time.Since(since) < readyGrace
}
