setpriv --reuid=998 --regid=996 --clear-groups /usr/bin/pgbouncer --version
