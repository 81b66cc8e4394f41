# A server as the user of the image that answers, with its append-only file.
cat >/tmp/check.sh <<'EOF'
cd /data
redis-server --port 0 --unixsocket /tmp/redis.sock --appendonly yes --daemonize yes --logfile /tmp/redis.log >/dev/null
tries=0
until redis-cli -s /tmp/redis.sock set key value 2>/dev/null | grep -q OK; do
  tries=$((tries + 1))
  test "$tries" -lt 100 || { cat /tmp/redis.log; exit 1; }
  sleep 0.1
done
redis-cli -s /tmp/redis.sock shutdown
test -s appendonlydir/appendonly.aof.manifest
EOF
setpriv --reuid=999 --regid=999 --clear-groups sh -eu /tmp/check.sh
