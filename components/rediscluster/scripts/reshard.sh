#!/bin/sh
# Moves slots after a change of the number of leaders. It runs in a Job:
#   reshard.sh drain      before the pods change: takes the slots of the leaders that are to go
#   reshard.sh rebalance  after that: gives every leader its share
# FORMED_LEADERS is the number of leaders before the change, empty when the cluster was never complete.
#
# It fails without moving anything when a leader is not well or when the keys would not fit. It may be killed at any
# point: the next run first finishes the slots that were on their way. Each key is on one node or on the other
# at every moment, and clients are told where.
set -eu
# shellcheck source=components/rediscluster/scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"

PATIENCE=60      # seconds for which a leader may be not well
FULL=90          # percent of its memory that a node may use afterwards: slots are not equally large
MOVE_LIMIT=500   # seconds for the slots of one leader to another

fail() {
    log "$*"
    exit 1
}

# order ENDPOINT COMMAND... sends a command that has to succeed, and sets answer.
order() {
    answer=$(cli "$@" 2>&1) || fail "$* failed: $answer"
}

# each_line TEXT ROUTINE calls it for every line of the text.
each_line() {
    while read -r line; do
        [ -z "$line" ] || "$2" "$line"
    done <<TEXT
$1
TEXT
}

# enter splits an entry of the ledger, "number id endpoint slots surplus", into variables. Each entry is a leader;
# surplus is how many slots it is to give, negative if it is to take some.
enter() {
    read -r number id at owned surplus <<ENTRY
$1
ENTRY
}

# count SLOTS sets owned to their number, without those that are on their way.
count() {
    owned=0
    for slots in $1; do
        case $slots in \[*) continue ;; esac
        owned=$((owned + ${slots#*-} - ${slots%-*} + 1))
    done
}

# size_up LINE parses a line of the table and sets number, owned, surplus, and whether the pod is wanted. A drain takes
# slots only from leaders that are to go.
size_up() {
    parse "$1"
    count "$node_slots"
    number_of "$node_host"
    case $number in '' | *[!0-9]*) number=$shards ;; esac
    share=0
    if [ "$number" -lt "$shards" ]; then
        share=$((16384 * (number + 1) / shards - 16384 * number / shards))
    fi
    surplus=$((owned - share))
    [ "$mode" = rebalance ] || [ "$share" = 0 ] || [ "$surplus" -lt 0 ] || surplus=0
    case " $LEADERS " in *" $node_host:"*) wanted=yes ;; *) wanted=no ;; esac
}

# judge enters a leader into the ledger, or says in problem why it is not well. A node without slots that is no leader
# of the future matters only as long as it lives: a slot may be on its way to it.
judge() {
    size_up "$1"
    [ "$wanted" = no ] || present="$present $node_host"
    case $wanted/$owned/$node_link/$node_flags in
    no/0/*fail* | no/0/*noaddr* | no/0/*handshake*) return 0 ;;
    no/0/connected/*master*) ;;
    no/0/*) return 0 ;;
    esac
    at=$node_ip:$node_port
    case $node_host/$node_link/$node_flags in
    *fail* | *noaddr* | *handshake*) problem="$node_host cannot be reached" ;;
    *-leader-*/connected/*master*)
        [ "$(cli "$at" cluster info 2>/dev/null | value cluster_state)" = ok ] || problem="$node_host does not serve" ;;
    *) problem="$node_host has $owned slots instead of the leader pod of its shard" ;;
    esac
    assigned=$((assigned + owned))
    ledger="$ledger
$number $node_id $at $owned $surplus"
}

# survey makes the ledger from the table of the first leader that answers. It fails, with the reason in problem, when
# not every slot has a leader that is well.
survey() {
    problem='' ledger='' present='' assigned=0 table=''
    for pod in $LEADERS; do
        table=$(nodes "$pod") && break
    done
    each_line "$table" judge
    for pod in $LEADERS; do
        case " $present " in *" ${pod%:*} "*) ;; *) problem="${pod%:*} is not in the cluster" ;; esac
    done
    [ "$assigned" = 16384 ] || : "${problem:=only $assigned of 16384 slots have a leader}"
    [ -n "$table" ] || problem="no leader can be reached"
    [ -z "$problem" ]
}

wait_until_well() {
    waited=0
    until survey; do
        [ "$waited" -lt "$PATIENCE" ] || fail "moving no slots, because $problem"
        waited=$((waited + 2))
        sleep 2
    done
}

# weigh adds up what those that are to give slots have.
weigh() {
    enter "$1"
    [ "$surplus" -gt 0 ] || return 0
    memory=$(cli "$at" info memory)
    bytes=$(echo "$memory" | value used_memory)
    for part in used_memory_startup mem_clients_normal mem_clients_slaves mem_replication_backlog mem_aof_buffer; do
        bytes=$((bytes - $(echo "$memory" | value "$part")))
    done
    given_slots=$((given_slots + owned)) given_bytes=$((given_bytes + bytes))
}

# hold checks that a leader can hold what it is to take.
hold() {
    enter "$1"
    [ "$given_slots" -gt 0 ] && [ "$surplus" -lt 0 ] || return 0
    memory=$(cli "$at" info memory)
    used=$(echo "$memory" | value used_memory)
    most=$(echo "$memory" | value maxmemory)
    used=$((used - surplus * given_bytes / given_slots))
    [ "$used" -le "$((most * FULL / 100))" ] || fail "moving no slots, because leader $number would use" \
        "$((used >> 20)) MiB, more than $FULL % of its $((most >> 20)) MiB, and drop keys: raise maxMemory first," \
        "or keep more leaders"
}

# choose picks a leader that is to give slots and one that is to take them.
choose() {
    enter "$1"
    if [ "$surplus" -gt 0 ]; then
        from=$id from_number=$number more=$surplus
    elif [ "$surplus" -lt 0 ]; then
        to=$id to_number=$number room=$((-surplus))
    fi
}

# find_owner LINE sets from and from_at if the line of the table is that of the owner of slot.
find_owner() {
    parse "$1"
    for slots in $node_slots; do
        case $slots in \[*) continue ;; esac
        [ "${slots%-*}" -gt "$slot" ] || [ "${slots#*-}" -lt "$slot" ] || from=$node_id from_at=$node_ip:$node_port
    done
}

# find_shard LINE sets heir to the shard of the node taker if the line is its.
find_shard() {
    parse "$1"
    [ "$node_id" = "$taker" ] || return 0
    number_of "$node_host"
    heir=$number
}

# find_heir ENTRY sets to and to_at if the entry is the leader of the shard heir.
find_heir() {
    enter "$1"
    [ "$number" != "$heir" ] || to=$id to_at=$at
}

# finish_slots ends what a run before this one began, for the slots that are on their way to or from a leader. They go
# forward: the node that takes a slot has a part of its keys already, and may have newer ones. After a failover only
# one of the two nodes knows of the move, and a new leader is in the place of the one that is named.
finish_slots() {
    enter "$1"
    self=$id self_at=$at
    theirs=$(own_line "$self_at")
    parse "$theirs"
    for mark in $node_slots; do
        case $mark in \[*) ;; *) continue ;; esac
        slot=${mark#\[}
        slot=${slot%%-*}
        from='' to=$self to_at=$self_at
        each_line "$table" find_owner
        case $mark in
        *'->-'*)
            taker=${mark#*->-}
            taker=${taker%]} to='' heir=''
            each_line "$table" find_shard
            [ "$from" != "$self" ] || each_line "$ledger" find_heir
            ;;
        esac
        [ -z "$to" ] || [ -z "$from" ] || [ "$from" = "$to" ] || finish_slot
        order "$self_at" cluster setslot "$slot" stable
    done
}

# finish_slot moves slot with its keys. A key that both nodes have was copied by a MIGRATE that did not end; the owner's
# is the newer one. Keys travel in the quoted form that redis-cli prints and reads, so they may be any bytes.
finish_slot() {
    log "finishing slot $slot, which is on its way from $from to $to"
    order "$to_at" cluster setslot "$slot" importing "$from"
    order "$from_at" cluster setslot "$slot" migrating "$to"
    while :; do
        order "$from_at" --no-raw cluster getkeysinslot "$slot" 100
        keys=$(printf '%s\n' "$answer" | sed -n 's/^ *[0-9]*) //p' | tr '\n' ' ')
        [ -n "$keys" ] || break
        answer=$(printf 'migrate %s %s "" 0 60000 replace auth2 operator %s keys %s\n' \
            "${to_at%:*}" "${to_at##*:}" "$REDISCLI_AUTH" "$keys" |
            operator 70 -h "${from_at%:*}" -p "${from_at##*:}")
        case $answer in OK | NOKEY) ;; *) fail "cannot move keys of slot $slot: $answer" ;; esac
    done
    order "$to_at" cluster setslot "$slot" node "$to"
    order "$from_at" cluster setslot "$slot" node "$to"
}

# departing LINE sets found to yes if the line of a table has slots of a leader that is to go.
departing() {
    size_up "$1"
    [ "$owned" = 0 ] || [ "$share" != 0 ] || found=yes
}

# to_drain is false when no leader that is to go has slots. Without a former number it asks all: either there is no
# cluster, and nobody answers, or one that was not complete so far.
to_drain() {
    if [ -n "${FORMED_LEADERS:-}" ]; then
        [ "$FORMED_LEADERS" -gt "$shards" ]
        return
    fi
    found=no
    for pod in $LEADERS; do
        theirs=$(nodes "$pod") || continue
        each_line "$theirs" departing
    done
    [ "$found" = yes ]
}

mode=$1 shards=0
for pod in $LEADERS; do
    shards=$((shards + 1))
done
if [ "$mode" = drain ] && ! to_drain; then
    log "no leader that is to go has slots"
    exit 0
fi

wait_until_well
given_slots=0 given_bytes=0
each_line "$ledger" weigh
each_line "$ledger" hold
each_line "$ledger" finish_slots

tries=10
while :; do
    wait_until_well
    from='' to=''
    each_line "$ledger" choose
    if [ -z "$from" ] || [ -z "$to" ]; then
        break
    fi
    [ "$more" -lt "$room" ] || more=$room
    log "moving $more slots from leader $from_number to leader $to_number"
    if output=$(operator "$MOVE_LIMIT" --no-auth-warning --cluster reshard "$at" --cluster-from "$from" \
        --cluster-to "$to" --cluster-slots "$more" --cluster-yes --cluster-replace --cluster-pipeline 100 2>&1); then
        tries=10
        continue
    fi
    # Followers hear of each move a moment later than leaders, and until then it is refused to make the next.
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "cannot move slots: $(echo "$output" | tail -n 5)"
    sleep 2
    wait_until_well
    each_line "$ledger" finish_slots
done
log "every leader has its share"
