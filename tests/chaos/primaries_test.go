//go:build e2e

package chaos

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"agentstack/tests/cloud"
)

const (
	instanceLabel = "cnpg.io/podRole=instance"
	checkEvery    = 500 * time.Millisecond
)

// commit is one that an instance acknowledged.
type commit struct {
	instance     string
	timeline     string // eight hexadecimal digits; each promotion begins a higher one
	began, ended time.Time
}

// checker asks each instance over and over to commit a row, over the loopback of the instance's own network: so it
// also reaches one that is cut off.
type checker struct {
	config *pgx.ConnConfig
	run    string

	mutex   sync.Mutex
	commits []commit

	stop    context.CancelFunc
	working sync.WaitGroup
}

func (c *checker) start() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.working.Go(func() {
		watched := map[string]bool{}
		for ctx.Err() == nil {
			pods, _ := cloud.Pods(instanceLabel) // without an answer it is asked again
			for _, pod := range pods {
				if id := pod.Metadata.UID; !watched[id] {
					watched[id] = true
					c.working.Go(func() { c.watch(ctx, pod) })
				}
			}
			wait(ctx, 4*checkEvery)
		}
	})
}

func (c *checker) finish() {
	c.stop()
	c.working.Wait()
}

func wait(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}

func (c *checker) watch(ctx context.Context, pod cloud.Pod) {
	config := c.config.Copy()
	config.Host = "127.0.0.1"
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		postmaster, err := pod.Process("postgres")
		if err != nil {
			return nil, err
		}
		return dialFrom(ctx, postmaster, network, address)
	}
	var conn *pgx.Conn
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		attempt, cancel := context.WithTimeout(ctx, writeTimeout)
		var err error
		if conn == nil || conn.IsClosed() {
			conn, err = pgx.ConnectConfig(attempt, config)
		}
		if err == nil {
			var timeline string
			err = conn.QueryRow(attempt, `INSERT INTO chaos_writes VALUES ($1, $2)
				RETURNING left(pg_walfile_name(pg_current_wal_lsn()), 8)`, c.run+pod.Metadata.UID, n).Scan(&timeline)
			if err == nil {
				c.add(commit{pod.Metadata.Name, timeline, began, time.Now()})
			}
		}
		cancel()
		wait(ctx, checkEvery-time.Since(began))
	}
	if conn != nil {
		_ = conn.Close(context.Background())
	}
}

func (c *checker) add(one commit) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.commits = append(c.commits, one)
}

// dialFrom connects from the network of a process.
func dialFrom(ctx context.Context, pid int, network, address string) (conn net.Conn, err error) {
	theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("open network of process %d: %w", pid, err)
	}
	defer func() { _ = theirs.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread, which is in the other network now, ends with this goroutine.
		runtime.LockOSThread()
		if err = unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err == nil {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		}
	}()
	<-done
	return conn, err
}

// twoPrimaries returns a pair of commits that cannot both be of the one primary: the second began after the first was
// acknowledged, and yet it is on an older timeline, or on the same timeline of another instance.
func twoPrimaries(commits []commit) error {
	slices.SortFunc(commits, func(a, b commit) int { return a.ended.Compare(b.ended) })
	for i, first := range commits {
		for _, second := range commits[i+1:] {
			if !second.began.After(first.ended) {
				continue
			}
			sameTimeline := second.timeline == first.timeline && second.instance != first.instance
			if second.timeline < first.timeline || sameTimeline {
				return fmt.Errorf("two primaries: %s committed on timeline %s until %s, and %s on timeline %s from %s",
					first.instance, first.timeline, first.ended.Format(time.TimeOnly),
					second.instance, second.timeline, second.began.Format(time.TimeOnly))
			}
		}
	}
	return nil
}
