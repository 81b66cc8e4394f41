# A real cluster as the user of the image, with every extension the program relies on.
PATH=$PATH:/usr/lib/postgresql/17/bin
test "$(id -u postgres)" = 26
barman-cloud-wal-archive --version
python3 -c 'import boto3'
cat >/tmp/check.sh <<'EOF'
initdb -D /tmp/data --auth=trust --no-sync >/dev/null
options='-c listen_addresses= -c unix_socket_directories=/tmp -c shared_preload_libraries=pgaudit'
pg_ctl -D /tmp/data -o "$options" -w start >/dev/null
psql -qAt -h /tmp -v ON_ERROR_STOP=1 -d postgres <<'SQL'
create extension vector;
create extension pgaudit;
create extension pg_stat_statements;
select '[1,2,3]'::vector <-> '[1,2,4]'::vector;
SQL
pg_ctl -D /tmp/data -m immediate stop >/dev/null
EOF
setpriv --reuid=26 --regid=postgres --clear-groups sh -eu /tmp/check.sh
