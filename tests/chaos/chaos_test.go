//go:build e2e

// Package chaos breaks a local cloud of its own while three writers write to it: through the API, to PostgreSQL and to
// Redis. It measures how long each could not write, and looks for every write that was acknowledged. `make chaos` runs
// it; it needs root.
package chaos

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

// fault is one way to break the cloud.
type fault struct {
	name string
	// run breaks it once and waits until it is whole again.
	run func(*measurement)
	// onOwnDisk names a volume of PostgreSQL's primary that is a disk of its own in this fault.
	onOwnDisk string
	want      limits
}

var (
	rolling     = limits{noFailures: true}
	redisBack   = limits{redisCrashes: true, outage: [3]time.Duration{2: 15 * time.Second}}
	redisAbsent = limits{redisCrashes: true}
)

var faults = []fault{
	{name: "PostgreSQL: pod of the primary deleted by force", run: primaryDeleted},
	{name: "PostgreSQL: postmaster of the primary killed", run: primaryKilled},
	{name: "PostgreSQL: primary lost while no replica confirms", run: primaryLostUnconfirmed},
	{name: "PostgreSQL: data of the primary read-only", run: diskReadOnly, onOwnDisk: dataVolume},
	{name: "PostgreSQL: WAL of the primary read-only", run: diskReadOnly, onOwnDisk: walVolume},
	{name: "PostgreSQL: primary lost while the operator is away", run: operatorAway},
	{name: "rolling: a parameter of PostgreSQL", run: parameterChanged, want: rolling},
	{name: "rolling: the image of PostgreSQL", run: imageChanged, want: rolling},
	{name: "rolling: the password of PostgreSQL", run: passwordChanged, want: rolling},
	{name: "Redis: process of a leader killed", run: leaderKilled, want: redisBack},
	{name: "Redis: pod of a leader deleted by force", run: leaderDeleted, want: redisBack},
	{name: "Redis: all on the node of a leader deleted by force", run: nodeOfLeaderDeleted, want: redisAbsent},
	{name: "Redis: all six pods deleted by force", run: allRedisDeleted, want: redisAbsent},
	{name: "network: primary cut off for a minute", run: primaryCutOff},
	{name: "disk: volume of the primary's WAL full", run: diskFull, onOwnDisk: walVolume},
}

func TestChaos(t *testing.T) {
	cloud.RequireInstance(t)
	runs := 3
	if given := os.Getenv("CHAOS_RUNS"); given != "" {
		var err error
		if runs, err = strconv.Atoi(given); err != nil || runs < 1 {
			t.Fatalf("CHAOS_RUNS is %q, not a number from 1", given)
		}
	}
	cloud.Command(t, "localcloud", "up")
	cloud.AdmitHost(t)
	lab := &laboratory{api: cloud.SignUp(t), pods: cloud.AtRest(t)}
	// What the app waits for a database that comes back is part of the answer.
	lab.api.Timeout = time.Minute
	defer func() { fmt.Print(lab.table.String()) }()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			for i := range runs {
				if !lab.broken {
					t.Run(fmt.Sprint(i+1), func(t *testing.T) { lab.run(t, f) })
				}
			}
		})
		if lab.broken {
			t.Error("the cloud did not become whole again: nothing more can be measured")
			break
		}
	}
	if t.Failed() {
		t.Log("the cloud is left as it is: look around with AGENTSTACK_INSTANCE=chaos bin/kubectl, then " +
			"AGENTSTACK_INSTANCE=chaos make reset")
	}
}
