//go:build e2e

package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/tests/cloud"
)

const (
	// calm is for how long the writers write before the fault, and again once the cloud is whole.
	calm = 5 * time.Second
	// crashLoss is for how long before a crash of its process or machine Redis may lose what it acknowledged:
	// appendfsync is everysec, and replication does not wait.
	crashLoss = time.Second
)

// laboratory is what all runs share.
type laboratory struct {
	api  *cloud.API
	pods int // that are ready when the cloud is whole
	// broken says that the cloud did not become whole again, so that nothing more can be measured.
	broken bool
	table  table
	// postgres are the settings of PostgreSQL that rolling changes have made.
	postgres map[string]any
}

// measurement is one run of a fault.
type measurement struct {
	*testing.T
	lab             *laboratory
	api, sql, redis *writer
	checker         *checker
	// primary is PostgreSQL's before the fault.
	primary cloud.Pod
	disk    *disk
	struck  time.Time
	result
}

// run breaks the cloud once and judges what came of it.
func (l *laboratory) run(t *testing.T, f fault) {
	m := &measurement{T: t, lab: l}
	defer func() { l.table.add(f.name, m.result, t.Failed()) }()
	l.broken = true
	cloud.Settled(t, l.pods)
	if f.onOwnDisk != "" {
		m.disk = ownDisk(t, f.onOwnDisk)
		cloud.Settled(t, l.pods)
	}
	m.begin()
	f.run(m)
	m.judge(f.want)
	l.broken = false
}

// begin starts the writers.
func (m *measurement) begin() {
	m.Helper()
	primary, err := cloud.Primary()
	if err != nil {
		m.Fatal(err)
	}
	if _, err := cloud.SQL(primary, writesTable); err != nil {
		m.Fatal(err)
	}
	instances, err := cloud.Pods(instanceLabel)
	if err != nil {
		m.Fatal(err)
	}
	for _, pod := range instances {
		if pod.Metadata.Name == primary {
			m.primary = pod
		}
	}
	config := database(m.T)
	pool, err := pgxpool.NewWithConfig(m.Context(), config)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(pool.Close)
	cluster := redisCluster(m.T)
	m.Cleanup(func() { _ = cluster.Close() })
	run := fmt.Sprint(time.Now().UnixMilli())
	m.api, m.sql, m.redis = apiWriter(m.lab.api, run), sqlWriter(pool, run), redisWriter(cluster, run)
	m.checker = &checker{config: config.ConnConfig, run: run}
	for _, w := range m.writers() {
		w.start()
		m.Cleanup(w.finish)
	}
	m.checker.start()
	m.Cleanup(m.checker.finish)
	time.Sleep(calm)
	for _, w := range m.writers() {
		if err := w.lively(); err != nil {
			m.Fatalf("before the fault: %v", err)
		}
	}
}

func (m *measurement) writers() []*writer { return []*writer{m.api, m.sql, m.redis} }

// strike notes when the fault begins.
func (m *measurement) strike(how string) {
	m.Helper()
	m.struck = time.Now()
	m.Logf("%s %s", m.struck.Format(time.TimeOnly), how)
}

// whole waits until nothing is left of the fault. It takes a moment until the fault shows, too.
func (m *measurement) whole() {
	m.Helper()
	time.Sleep(calm)
	m.written()
	cloud.Settled(m.T, m.lab.pods)
	m.Logf("whole again after %s", time.Since(m.struck).Round(100*time.Millisecond))
	time.Sleep(calm)
}

// written waits until every writer can write.
func (m *measurement) written() {
	m.Helper()
	for _, w := range m.writers() {
		cloud.Eventually(m.T, cloud.SettleTimeout, w.name+" acknowledges writes", w.lively)
	}
}

// judge ends the writers and says what did not hold.
func (m *measurement) judge(want limits) {
	m.Helper()
	for _, w := range m.writers() {
		w.finish()
	}
	m.checker.finish()
	for i, w := range m.writers() {
		outage := w.outage(m.struck)
		m.outage[i], m.acknowledged[i] = outage, len(w.acks)
		m.Logf("%s: %d acknowledged, %d failed, out for %.1f s", w.name, len(w.acks), len(w.failed), outage.Seconds())
		w.logFailures(m.T)
		lost, err := w.lost()
		if err != nil {
			m.Error(err)
		}
		m.lost[i] = len(lost)
		if limit := want.outage[i]; limit > 0 && outage > limit {
			m.Errorf("%s was out for %.1f s, longer than %s", w.name, outage.Seconds(), limit)
		}
		for _, a := range lost[:min(len(lost), 5)] {
			m.Logf("%s lost %s, acknowledged %.3f s after the fault", w.name, a.id, a.at.Sub(m.struck).Seconds())
		}
		if w != m.redis && len(lost) > 0 {
			m.Errorf("%s lost %d of %d acknowledged writes", w.name, len(lost), len(w.acks))
		}
		if w == m.redis {
			m.judgeRedis(want, lost)
		}
	}
	m.failed = len(m.api.failed)
	if want.noFailures && m.failed > 0 {
		m.Errorf("%d requests failed", m.failed)
	}
	if len(m.checker.commits) == 0 {
		m.Error("the checker saw no commit")
	}
	if err := twoPrimaries(m.checker.commits); err != nil {
		m.Error(err)
	}
}

// judgeRedis knows that a crash of Redis may take the last moment before it, and what came until a follower led.
func (m *measurement) judgeRedis(want limits, lost []ack) {
	m.Helper()
	for _, a := range lost {
		if !want.redisCrashes || a.at.Before(m.struck.Add(-crashLoss)) {
			m.Errorf("Redis lost %s, acknowledged %.1f s after the fault", a.id, a.at.Sub(m.struck).Seconds())
		}
	}
}
