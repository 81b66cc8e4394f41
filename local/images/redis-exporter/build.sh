install prometheus-redis-exporter
ln -s usr/bin/prometheus-redis-exporter /redis_exporter # where upstream has it
