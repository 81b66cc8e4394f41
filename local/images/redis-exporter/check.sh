# The exporter as the user of the image says that no Redis answers at its default address.
cat >/tmp/check.sh <<'EOF'
/redis_exporter --web.listen-address=127.0.0.1:0 2>/tmp/exporter.log &
exporter=$!
tries=0
until grep -q 'Providing metrics at' /tmp/exporter.log; do
  tries=$((tries + 1))
  test "$tries" -lt 100 || { cat /tmp/exporter.log; exit 1; }
  sleep 0.1
done
kill "$exporter"
EOF
setpriv --reuid=59000 --regid=59000 --clear-groups sh -eu /tmp/check.sh
