# shellcheck shell=sh disable=SC2034 # the variables are for the scripts that read this file
# Functions of the scripts beside this file. They need:
#   POD_IP, REDIS_PORT   where the node of this pod listens
#   SELF                 endpoint of this pod, by its stable DNS name
#   LEADERS, FOLLOWERS   endpoints of all pods; the n-th follower belongs to the n-th leader
#   REDISCLI_AUTH        password of the user "operator", read by redis-cli
# An endpoint is host:port. A table is the output of CLUSTER NODES; each of its lines is
#   id address:port@busport,hostname flags leader-id ping pong epoch link-state slots...

LOCAL=$POD_IP:$REDIS_PORT

# cli ENDPOINT [COMMAND...] sends the command, or those on standard input. It fails when the node does not answer
# within 3 s or answers with an error.
cli() {
    endpoint=$1
    shift
    timeout 3 redis-cli -e --user operator -h "${endpoint%:*}" -p "${endpoint##*:}" "$@"
}

# place finds this pod in the lists and sets its role, its partner, the number of its shard, and how many there are.
place() {
    # shellcheck disable=SC2086 # the list is split into words on purpose
    set -- $FOLLOWERS
    shards=$# shard=0
    for leader in $LEADERS; do
        [ "$leader" = "$SELF" ] && role=leader partner=$1 && break
        [ "$1" = "$SELF" ] && role=follower partner=$leader && break
        shard=$((shard + 1))
        shift
    done
}

log() {
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"
}

# nodes ENDPOINT prints its table, and nothing when it cannot be reached.
nodes() {
    cli "$1" cluster nodes 2>/dev/null
}

# own_line ENDPOINT prints the line of the node itself in its own table.
own_line() {
    own_table=$(nodes "$1") && myself "$own_table"
}

# myself TABLE prints the line of the node that was asked.
myself() {
    while read -r line; do
        case $line in *myself*) echo "$line" && return ;; esac
    done <<TABLE
$1
TABLE
    return 1
}

# parse LINE sets node_id, node_ip, node_port, node_host, node_flags, node_leader, node_link and node_slots.
parse() {
    read -r node_id address node_flags node_leader _ _ _ node_link node_slots <<LINE
$1
LINE
    node_host=''
    case $address in *,*) node_host=${address#*,} ;; esac
    node_host=${node_host%%,*}
    address=${address%%@*}
    node_ip=${address%:*}
    node_port=${address##*:}
}

# value KEY prints the value of "KEY:value" in the output of INFO or CLUSTER INFO on standard input.
value() {
    sed -n "s/^$1:\([^[:cntrl:]]*\).*/\1/p"
}
