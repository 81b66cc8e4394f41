#!/bin/sh
# Readiness: the node serves its shard. Before the cluster is formed there is nothing to serve, and a leader pod is
# ready as soon as it answers; the follower pods, which are created last, are ready only in a complete cluster. So
# whoever waits for all StatefulSets waits for the cluster. A leader pod whose shard is new, or was drained, has no
# slots and is ready once it has joined: it is given some when all pods are there.
set -eu
# shellcheck source=components/rediscluster/scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

refuse() {
    echo "$*"
    exit 1
}

fact() {
    echo "$facts" | value "$1"
}

facts=$(printf '%s\n' 'cluster info' 'info replication' 'cluster nodes' | cli "$LOCAL") ||
    refuse "redis-server does not answer, or is still loading: $facts"

slots=$(fact cluster_slots_assigned)
place
[ "$role/$slots" != leader/0 ] || exit 0
[ "$slots" = 16384 ] ||
    refuse "the cluster is not formed: $(fact cluster_known_nodes) nodes have met, $slots of 16384 slots have a leader"
[ "$(fact cluster_state)" = ok ] || refuse "most leaders cannot be reached"

parse "$(myself "$facts")"
case $role/$node_flags/$node_slots in
*/*slave*/*) [ "$(fact master_link_status)" = up ] || refuse "not in sync with its leader" ;;
leader/*/) shard_leader "$(echo "$facts" | grep @)" >/dev/null && refuse "not yet in its place in the cluster" ;;
*/*/) refuse "not yet in its place in the cluster" ;;
esac
exit 0
