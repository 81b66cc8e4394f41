package hapostgres

// backupSpec holds the fields of a Cluster's backup that this program sets.
// https://cloudnative-pg.io/documentation/1.28/cloudnative-pg.v1/#backupconfiguration
type backupSpec struct {
	BarmanObjectStore barmanSpec `json:"barmanObjectStore"`
	RetentionPolicy   string     `json:"retentionPolicy"`
	Target            string     `json:"target"`
}

// barmanSpec is where and how Barman keeps the WAL archive and the base backups of one cluster.
// https://cloudnative-pg.io/documentation/1.28/appendixes/backup_barmanobjectstore/
type barmanSpec struct {
	DestinationPath string        `json:"destinationPath"`
	EndpointURL     string        `json:"endpointURL,omitempty"`
	ServerName      string        `json:"serverName"`
	S3Credentials   s3Credentials `json:"s3Credentials"`
	WAL             *walSpec      `json:"wal,omitempty"`
	Data            *dataSpec     `json:"data,omitempty"`
}

type s3Credentials struct {
	InheritFromIAMRole bool       `json:"inheritFromIAMRole,omitempty"`
	AccessKeyID        *secretKey `json:"accessKeyId,omitempty"`
	SecretAccessKey    *secretKey `json:"secretAccessKey,omitempty"`
}

type secretKey struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

type walSpec struct {
	Compression string `json:"compression"`
	MaxParallel int    `json:"maxParallel"`
}

type dataSpec struct {
	Compression         string `json:"compression"`
	ImmediateCheckpoint bool   `json:"immediateCheckpoint"`
}

// scheduledBackupSpec holds the fields of a ScheduledBackup that this program sets.
// https://cloudnative-pg.io/documentation/1.28/cloudnative-pg.v1/#scheduledbackupspec
type scheduledBackupSpec struct {
	Cluster              objectReference `json:"cluster"`
	Schedule             string          `json:"schedule"`
	Immediate            bool            `json:"immediate"`
	BackupOwnerReference string          `json:"backupOwnerReference"`
	Method               string          `json:"method"`
	Target               string          `json:"target"`
}
