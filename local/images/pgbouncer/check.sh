setpriv --reuid=998 --regid=996 --clear-groups pgbouncer --version
