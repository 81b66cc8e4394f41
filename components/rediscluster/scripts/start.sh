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
# The operator may do to the cluster what these scripts do: it can neither read keys nor reset a node.
# The exporter may look at counters: not at keys, nor at settings (passwords are among them), nor at the commands in the
# slow log.
cat >"$RUN_DIR/users.acl" <<ACL
user default reset
user $APP_USERNAME reset on #$(digest "$APP_PASSWORD") ~* &* +@all -@admin -@dangerous +info
user operator reset on #$(digest "$REDISCLI_AUTH") +ping +info \
+cluster|nodes +cluster|info +cluster|meet +cluster|forget +cluster|replicate +cluster|addslotsrange +cluster|failover
user exporter reset on #$(digest "$EXPORTER_PASSWORD") +ping +info +cluster|info +slowlog|len \
+latency|latest +latency|histogram
user replica reset on #$(digest "$replica_password") +ping +psync +replconf
ACL

cat >"$RUN_DIR/redis.conf" <<CONF
include $here/redis.conf
bind $POD_IP 127.0.0.1
port $REDIS_PORT
dir $DATA_DIR
maxmemory $MAXMEMORY
cluster-announce-ip $POD_IP
cluster-announce-hostname ${SELF%:*}
aclfile $RUN_DIR/users.acl
masteruser replica
masterauth $replica_password
CONF

unset APP_PASSWORD EXPORTER_PASSWORD REDISCLI_AUTH
exec redis-server "$RUN_DIR/redis.conf"
