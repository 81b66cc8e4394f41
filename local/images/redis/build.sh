groupadd --system --gid 999 redis
useradd --system --uid 999 --gid 999 --home-dir /data --no-create-home --shell /usr/sbin/nologin redis
install redis-server redis-tools
rm -rf /etc/redis /var/lib/redis /var/log/redis
mkdir -p /data
chown redis:redis /data
