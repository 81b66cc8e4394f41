# shellcheck shell=sh disable=SC2034 # the variables are for the scripts that read this file
# Functions of the scripts beside this file. They need:
#   POD_IP, REDIS_PORT   where the node of this pod listens
#   SELF                 endpoint of this pod, by its stable DNS name
#   LEADERS, FOLLOWERS   endpoints of all pods; the number at the end of a pod's name is that of its shard
#   REDISCLI_AUTH        password of the user "operator", read by redis-cli
#   TLS_DIR              has ca.crt when the nodes speak TLS, else it is empty
# A Job has only LEADERS, REDISCLI_AUTH and TLS_DIR.
# An endpoint is host:port. A table is the output of CLUSTER NODES; each of its lines is
#   id address:port@busport,hostname flags leader-id ping pong epoch link-state slots...

LOCAL=${POD_IP:-}:${REDIS_PORT:-}

# operator SECONDS [OPTION...] is redis-cli as the user "operator", ended after that time. It compares no names, only
# whether a certificate is of the cluster's authority: nodes tell each other's addresses.
operator() {
    seconds=$1
    shift
    [ -z "${TLS_DIR:-}" ] || set -- --tls --cacert "$TLS_DIR/ca.crt" "$@"
    timeout "$seconds" redis-cli --user operator "$@"
}

# cli ENDPOINT [COMMAND...] sends the command, or those on standard input. It fails when the node does not answer
# within 3 s or answers with an error.
cli() {
    endpoint=$1
    shift
    operator 3 -e -h "${endpoint%:*}" -p "${endpoint##*:}" "$@"
}

# number_of HOST sets number to that of the pod's shard.
number_of() {
    number=${1%%.*}
    number=${number##*-}
}

# place finds this pod in the lists and sets its role, the number of its shard, how many there are, and mates: the
# other pods of the shard, the leader pod first.
place() {
    number_of "$SELF"
    shard=$number shards=0 role=follower mates=''
    for pod in $LEADERS; do
        shards=$((shards + 1))
        [ "$pod" != "$SELF" ] || role=leader
    done
    for pod in $LEADERS $FOLLOWERS; do
        number_of "$pod"
        [ "$number" != "$shard" ] || [ "$pod" = "$SELF" ] || mates="$mates $pod"
    done
}

# shard_leader TABLE prints the id of the node of this shard that owns slots.
shard_leader() {
    while read -r line; do
        parse "$line"
        number_of "$node_host"
        [ "$number" != "$shard" ] || [ -z "$node_slots" ] || { echo "$node_id" && return; }
    done <<TABLE
$1
TABLE
    return 1
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
