# As upstream does: no cluster is made at installation, and the user is 26, which CloudNativePG runs as.
install postgresql-common ca-certificates
sed -ri 's/^#?\s*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
install postgresql-17 postgresql-17-pgvector postgresql-17-pgaudit barman-cli-cloud python3-boto3
usermod -u 26 postgres
chown -R postgres:postgres /var/lib/postgresql /var/log/postgresql /run/postgresql
