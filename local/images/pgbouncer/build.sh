groupadd --system --gid 996 pgbouncer
useradd --system --uid 998 --gid 996 --no-create-home pgbouncer
install pgbouncer
ln -s ../sbin/pgbouncer /usr/bin/pgbouncer # where upstream has it
rm -rf /etc/pgbouncer
mkdir -p /etc/pgbouncer /var/log/pgbouncer /run/pgbouncer
touch /etc/pgbouncer/pgbouncer.ini /etc/pgbouncer/userlist.txt
chown -R pgbouncer:pgbouncer /etc/pgbouncer /var/log/pgbouncer /run/pgbouncer
