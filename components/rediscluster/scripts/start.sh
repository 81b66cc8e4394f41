#!/bin/sh
# Writes the node's configuration, with the passwords, into RUN_DIR (memory, never a disk) and becomes redis-server.
set -eu
umask 077
# shellcheck source=components/rediscluster/scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
place
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

digest() {
    printf %s "$1" | sha256sum | cut -d ' ' -f 1
}

# Redis replicates from an address without asking whose it is, and addresses change hands when machines restart. With a
# password for each shard, a follower cannot replace its data with those of another shard.
replica_password=$(digest "$REDISCLI_AUTH shard $shard")

# The application uses every data command but none that administers the server or blocks it for everyone.
# The operator may do to the cluster what these scripts do: it can move keys from node to node, but neither read them
# nor reset a node. On the node that takes a key, MIGRATE of the other node is the operator too.
# The exporter may look at counters: not at keys, nor at settings (passwords are among them), nor at the commands in the
# slow log.
cat >"$RUN_DIR/users.acl" <<ACL
user default reset
user $APP_USERNAME reset on #$(digest "$APP_PASSWORD") ~* &* +@all -@admin -@dangerous +info
user operator reset on #$(digest "$REDISCLI_AUTH") +ping +info \
+cluster|nodes +cluster|info +cluster|meet +cluster|forget +cluster|replicate +cluster|addslotsrange +cluster|failover \
~* +cluster|setslot +cluster|getkeysinslot +migrate +restore-asking +select
user exporter reset on #$(digest "$EXPORTER_PASSWORD") +ping +info +cluster|info +slowlog|len \
+latency|latest +latency|histogram
user replica reset on #$(digest "$replica_password") +ping +psync +replconf
ACL

cat >"$RUN_DIR/redis.conf" <<CONF
include $here/redis.conf
bind $POD_IP 127.0.0.1
dir $DATA_DIR
maxmemory $MAXMEMORY
maxmemory-policy $MAXMEMORY_POLICY
cluster-announce-ip $POD_IP
cluster-announce-hostname ${SELF%:*}
aclfile $RUN_DIR/users.acl
masteruser replica
masterauth $replica_password
CONF
# Passwords tell clients apart, so they need no certificate. Between nodes Redis always asks for one.
if [ -z "${TLS_DIR:-}" ]; then
    echo "port $REDIS_PORT"
else
    cat <<CONF
port 0
tls-port $REDIS_PORT
tls-cert-file $TLS_DIR/tls.crt
tls-key-file $TLS_DIR/tls.key
tls-ca-cert-file $TLS_DIR/ca.crt
tls-auth-clients no
tls-cluster yes
tls-replication yes
CONF
fi >>"$RUN_DIR/redis.conf"

unset APP_PASSWORD EXPORTER_PASSWORD REDISCLI_AUTH
# A pod that was deleted by force may still be stopping when its successor starts on the same disk. Two servers would
# write over each other's files, so the second waits; the lock goes with the process.
exec 9>"$DATA_DIR/lock"
flock --exclusive 9

exec redis-server "$RUN_DIR/redis.conf"
