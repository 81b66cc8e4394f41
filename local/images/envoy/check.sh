# Envoy as the user of the image starts with the listener of a plain proxy, answers, and ends.
cat >/tmp/envoy.yaml <<'EOF'
admin: {address: {pipe: {path: /tmp/admin.sock}}}
static_resources:
  listeners:
    - name: edge
      address: {pipe: {path: /tmp/edge.sock}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: edge
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [{match: {prefix: /}, direct_response: {status: 204}}]
                http_filters:
                  - name: envoy.filters.http.local_ratelimit
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
                      stat_prefix: limit
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
EOF
cat >/tmp/check.sh <<'EOF'
/usr/local/bin/envoy --version
/usr/local/bin/envoy --config-path /tmp/envoy.yaml --disable-hot-restart --log-level warn >/tmp/envoy.log 2>&1 &
envoy=$!
tries=0
until test -S /tmp/edge.sock; do
  tries=$((tries + 1))
  test "$tries" -lt 300 || { cat /tmp/envoy.log; exit 1; }
  sleep 0.1
done
kill "$envoy"
wait "$envoy"
EOF
setpriv --reuid=65532 --regid=65532 --clear-groups sh -eu /tmp/check.sh
