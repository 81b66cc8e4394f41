#!/bin/sh
# Keeps the node of this pod where it belongs in the cluster; runs beside it for as long as the pod lives.
#
# Every round looks at the real state and does at most what is missing, one atomic Redis command at a time, so that it
# may be killed at any point. It forms the cluster, joins a node that came back with a new address or with an
# empty disk, forgets the node that it replaced and those of pods that are no longer wanted, and brings leadership back
# to the leader pods, which the scheduler keeps on different machines. It never takes slots from a node and never resets
# one.
set -eu
# shellcheck source=components/rediscluster/scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

INTERVAL=2       # seconds between two rounds
PATIENCE=5       # rounds for which a reason to move leadership must last

# healthy TABLE HOST: the table has HOST, connected, and no other line for it.
healthy() {
    found=no
    while read -r line; do
        parse "$line"
        [ "$node_host" = "$2" ] || continue
        case $node_link/$node_flags in
        connected/*fail* | connected/*handshake* | connected/*noaddr*) return 1 ;;
        connected/*) found=yes ;;
        *) return 1 ;;
        esac
    done <<TABLE
$1
TABLE
    [ "$found" = yes ]
}

# introduce PEER makes this node and PEER know each other, under PEER's present address. An address that a DNS cache
# remembers may belong to a stranger by now, so PEER is asked who it is first.
introduce() {
    theirs=$(own_line "$1") || return 0
    parse "$theirs"
    if [ "$node_host" != "${1%:*}" ]; then
        log "$1 answers as '$node_host'; its DNS name is not up to date yet"
        return 0
    fi
    peer_id=$node_id
    log "meeting $1 at $node_ip"
    cli "$LOCAL" cluster meet "$node_ip" "$node_port" >/dev/null || log "cannot meet $1"
    forget_others "${1%:*}" "$peer_id"
}

# forget_others HOST ID removes the failed nodes without slots that have the name HOST and are not ID: their disk is
# lost, and ID is in their place.
forget_others() {
    while read -r line; do
        parse "$line"
        case $node_host/$node_flags/$node_slots in
        "$1"/*fail*/ | "$1"/*noaddr*/) [ "$node_id" != "$2" ] || continue ;;
        *) continue ;;
        esac
        log "forgetting $node_id, once $1"
        cli "$LOCAL" cluster forget "$node_id" >/dev/null || log "cannot forget $node_id yet"
    done <<TABLE
$table
TABLE
}

# forget_departed removes the failed nodes without slots that no pod has: those of a former size of the cluster, and
# those without a name, which a node without a disk heard of and would spread again.
forget_departed() {
    while read -r line; do
        parse "$line"
        case ,$node_flags,/$node_slots in
        *,fail,*/ | *,noaddr,*/) ;;
        *) continue ;;
        esac
        case " $LEADERS $FOLLOWERS " in *" ${node_host:-?}:"*) continue ;; esac
        log "forgetting $node_id, once ${node_host:-unnamed}"
        cli "$LOCAL" cluster forget "$node_id" >/dev/null || log "cannot forget $node_id yet"
    done <<TABLE
$table
TABLE
}

# owned TABLE: some node in the table owns, or owned when it failed, a slot of this shard.
owned() {
    while read -r line; do
        parse "$line"
        for slots in $node_slots; do
            case $slots in \[*) continue ;; esac
            [ "${slots%-*}" -le "$last" ] && [ "${slots#*-}" -ge "$first" ] && return 0
        done
    done <<TABLE
$1
TABLE
    return 1
}

# claim gives the slots of the shard to this node, if every node is there and none knows an owner of any of them.
claim() {
    for peer in $LEADERS $FOLLOWERS; do
        theirs=$(nodes "$peer") || return 0
        if owned "$theirs"; then
            log "not claiming slots $first to $last: $peer knows an owner"
            return 0
        fi
    done
    log "claiming slots $first to $last"
    cli "$LOCAL" cluster addslotsrange "$first" "$last" >/dev/null || log "cannot claim slots"
}

# join_shard finds work for a node without slots: to follow the one of its shard that has them, or, when the shard is
# new, to lead it or to follow its leader pod. Each is asked itself: what others say of it may be old.
join_shard() {
    pod_id='' silent=''
    for mate in $mates; do
        theirs=$(own_line "$mate") || { silent=$mate && continue; }
        parse "$theirs"
        : "${pod_id:=$node_id}"
        [ -z "$node_slots" ] || { follow "$node_id" && return 0; }
    done
    [ -z "$silent" ] && ! shard_leader "$table" >/dev/null || return 0
    if [ "$role" = leader ]; then
        claim
    else
        follow "$pod_id"
    fi
}

follow() {
    log "following $1"
    cli "$LOCAL" cluster replicate "$1" >/dev/null || log "cannot follow $1 yet"
}

# lead_again takes leadership back from the follower pod that has it, without loss, once both were in sync for a while:
# two leaders on one machine would be a majority that fails together. It waits while a slot moves: the new leader would
# not know of that, and would take the keys that have moved already for absent.
lead_again() {
    theirs=$(own_line "$leader_ip:$leader_port") || return 0
    case $theirs in *\[*) return 0 ;; esac
    link=$(cli "$LOCAL" info replication | value master_link_status)
    state=$(cli "$LOCAL" cluster info | value cluster_state)
    lasting "$link/$state" up/ok || return 0
    log "taking leadership back from $leader_id"
    cli "$LOCAL" cluster failover >/dev/null || log "cannot take leadership back"
}

# succeed takes over from a leader whose address is now another node's. Redis never declares such a leader failed,
# so its followers would wait for ever; the other leaders still have to agree.
succeed() {
    lasting noaddr noaddr || return 0
    log "taking over from $1, which has no address any more"
    cli "$LOCAL" cluster failover force >/dev/null || log "cannot take over"
}

# lasting REASON EXPECTED is true once REASON was as EXPECTED for more than PATIENCE rounds in a row.
lasting() {
    if [ "$1" != "$2" ]; then
        rounds=0
        return 1
    fi
    rounds=$((rounds + 1))
    [ "$rounds" -gt "$PATIENCE" ] || return 1
    rounds=0
}

# look_up ID sets leader_flags, leader_ip, leader_port and leader_slots to those of the node ID in the table.
look_up() {
    leader_flags='' leader_ip='' leader_port='' leader_slots=''
    while read -r line; do
        parse "$line"
        [ "$node_id" = "$1" ] || continue
        leader_flags=$node_flags leader_ip=$node_ip leader_port=$node_port leader_slots=$node_slots
    done <<TABLE
$table
TABLE
}

# follow_move ID points replication at the node of the shard that has its slots, if that is not the leader ID, and at
# the present address of the leader. When others told that it moved, Redis puts the new address into its table, but goes
# on calling the old one.
follow_move() {
    if [ -z "$leader_slots" ] && heir=$(shard_leader "$table"); then
        follow "$heir"
        return 0
    fi
    replication=$(cli "$LOCAL" info replication) || return 0
    [ "$(echo "$replication" | value master_link_status)" = down ] || return 0
    [ "$(echo "$replication" | value master_host)" != "$leader_ip" ] || return 0
    follow "$1"
}

work() {
    table=$(nodes "$LOCAL") || return 0
    complete=yes
    for peer in $LEADERS $FOLLOWERS; do
        [ "$peer" = "$SELF" ] && continue
        healthy "$table" "${peer%:*}" && continue
        complete=no
        introduce "$peer"
    done
    if [ "$complete" = yes ]; then
        forget_departed
    fi
    parse "$(myself "$table")"
    own_flags=$node_flags own_slots=$node_slots leader_id=$node_leader
    look_up "$leader_id"
    case $own_flags/$leader_flags in
    *slave*/*noaddr*) ;;
    *slave*) follow_move "$leader_id" ;;
    esac
    case $role/$own_flags/$own_slots/$leader_flags in
    */*master*//*) join_shard ;;
    */*slave*/*noaddr*) succeed "$leader_id" ;;
    leader/*slave*) lead_again ;;
    *) rounds=0 ;;
    esac
}

trap 'exit 0' TERM INT
place
first=$((16384 * shard / shards))
last=$((16384 * (shard + 1) / shards - 1))
rounds=0
log "$SELF is the $role of slots $first to $last"
while :; do
    work
    sleep "$INTERVAL" &
    wait $!
done
