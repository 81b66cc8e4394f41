// Package rediscluster runs a Redis cluster of leaders and their followers from plain Kubernetes objects, without an
// operator.
//
// # Where the nodes run
//
// The pods of the StatefulSet ai-agent-redis-leader lead the shards, those of ai-agent-redis-follower, -follower-2 and
// -follower-3 with the same number follow. Leaders never share a machine, nor do the pods of a shard. So the loss
// of a machine takes at most one leader, and the other leaders are the majority that promotes its follower. The names
// are the roles at the start and the roles to which the cluster returns: after a failover, a leader pod that is in
// sync again takes leadership back without loss.
//
// # Who forms and repairs the cluster
//
// A container "agent" in each pod (scripts/agent.sh) compares the cluster with what it should be every two seconds and
// does what is missing: it forms a new cluster, introduces pods whose addresses changed to each other (all of them
// change when the machines restart), and puts a node with an empty disk into the place of the one that it
// replaces. Follower pods are ready only when the whole cluster is formed and they are in sync, which makes
// `pulumi up` wait for it and a rolling update go on only when the cluster is whole again. The StatefulSets are
// updated one after the other, so one pod at a time is down. A leader that stops hands over to its follower first.
//
// # How the number of leaders changes
//
// A Job before the StatefulSets takes all slots from leaders that are to go, and one after them gives new leaders their
// share (scripts/reshard.sh); clients read and write meanwhile. Either fails, and with it `pulumi up`, before it moves
// anything when a leader cannot be reached or when keys would have to be dropped for want of memory. The ConfigMap
// ai-agent-redis-formed remembers how many leaders there are. So "there is no cluster yet" is known and not guessed:
// without it, and with nobody who answers, the first Job has nothing to do; with it and fewer leaders wanted, the Job
// needs to reach all leaders, and during an outage it fails. (A cluster of a version without that ConfigMap gets it
// with the first update; change the number of leaders with a later one.) A Job that was killed is run again by the
// next `pulumi up` or by its controller, and goes on. The disks of leaders that went stay; a leader that comes back
// with one is told that its slots have other owners, whatever the disk says.
//
// # TLS
//
// With a Secret, port 6379 speaks nothing else, nor do the nodes among each other. Its certificate is for the names
// *.ai-agent-redis-headless.<namespace>.svc.cluster.local and ai-agent-redis.<namespace>.svc.cluster.local, and if it
// limits its usages, for server and client authentication: nodes are clients of each other. Clients show passwords and
// no certificates. Redis reads the files when it starts. So after a renewal under the same authority restart the
// StatefulSets in time, one after the other: `kubectl rollout restart statefulset ai-agent-redis-leader`, `kubectl
// rollout status` of it, then the same with the followers. A new authority needs a ca.crt with both in between.
//
// # What it promises about data
//
// It is a cache and holds counters: everything in it can be computed again, and PostgreSQL keeps what cannot.
// Replication is asynchronous and the append-only file is written to disk each second. The restart of a pod loses
// nothing. The crash of a leader's machine loses the last moments before it that its follower had not received; the
// crash of all machines at once up to about a second. A leader cut off from the others accepts writes for up to
// five more seconds, and those are lost. When memory is full, the eviction policy decides; by default the least
// recently used keys go. A slot that moves loses no key. When a leader fails in that moment, its follower does not know
// of the move, and until the Job goes on, keys of that slot that had moved look absent.
//
// # What it leaves to people
//
// The loss of two leaders' machines within seconds of each other (no majority is left to promote; `CLUSTER FAILOVER
// TAKEOVER` on the followers, if the machines do not come back), the loss of all disks of one shard, and switching TLS
// on or off, for which there must be no cluster: nodes of either kind cannot talk to each other. The disks of leaders
// and followers that are no longer wanted stay until somebody deletes their claims. A leader pod waits as long as every
// machine that its disk can move to has another leader or its own follower; deleting that follower's pod lets both be
// scheduled again.
package rediscluster
