package kube

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Keys of a Secret with the credentials of a role of the database.
const (
	// KeyURI is a URL for the role's usual work.
	KeyURI = "uri"
	// KeyReadURI is a URL through the connection pool to the replicas, which are behind by what they have not replayed.
	KeyReadURI = "read-uri"
	// KeyDirectURI is a URL to the instance that takes writes, past the connection pool, for what a pool in transaction
	// mode cannot do, such as session locks. The session acts as the owner of the tables.
	KeyDirectURI = "direct-uri"
)

const (
	// CAFile is the file, and the key of a Secret, with the certificates of an authority.
	CAFile = "ca.crt"
	// databaseCA is the volume with the authority of the database's servers, and databaseCAPath where the URLs of the
	// Secret expect it. The operator renews it in place, and the kubelet follows.
	databaseCA     = "database-ca"
	databaseCAPath = "/run/secrets/database"
	// DatabaseCAFile is the file that the URLs of a database name as sslrootcert.
	DatabaseCAFile = databaseCAPath + "/" + CAFile
	// postgresPort is where the instances and the pools listen.
	postgresPort = 5432
)

// Database is PostgreSQL as its clients see it.
type Database struct {
	// SecretName is a Secret of the namespace with the keys above. Required.
	SecretName pulumi.StringInput
	// CASecretName is a Secret of the namespace whose key ca.crt has the authority that signed the servers'
	// certificates. Required.
	CASecretName string
	// Pods are the labels of the pods to connect to, those of the pool included. Required.
	Pods map[string]string
}

// Validate reports every problem, each led by the path of its field below path.
func (d Database) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if d.SecretName == nil {
		problems = append(problems, field.Required(path.Child("secretName"), "give the Secret with the URL"))
	}
	if d.CASecretName == "" {
		problems = append(problems, field.Required(path.Child("caSecretName"),
			"give the Secret with the authority of the servers' certificates"))
	}
	if len(d.Pods) == 0 {
		problems = append(problems, field.Required(path.Child("pods"), "give the labels of the servers' pods"))
	}
	return problems
}

// Volume is the volume with the authority.
func (d Database) Volume() *corev1.VolumeArgs { return CAVolume(databaseCA, d.CASecretName) }

// Mount puts the volume where the URLs of the Secret expect it.
func (d Database) Mount() *corev1.VolumeMountArgs { return CAMount(databaseCA, databaseCAPath) }

// Traffic is what a client of the database has to reach.
func (d Database) Traffic() Traffic {
	return Traffic{Peers: []Peer{{Pods: d.Pods}}, Ports: []Port{{Number: postgresPort}}}
}

// CAVolume is a volume with the authority in a Secret. Whatever else is in the Secret, such as a key, stays out.
func CAVolume(name, secret string) *corev1.VolumeArgs {
	return &corev1.VolumeArgs{
		Name: pulumi.String(name),
		Secret: &corev1.SecretVolumeSourceArgs{
			SecretName: pulumi.String(secret),
			Items: corev1.KeyToPathArray{
				&corev1.KeyToPathArgs{Key: pulumi.String(CAFile), Path: pulumi.String(CAFile)},
			},
		},
	}
}

// CAMount mounts a volume of CAVolume.
func CAMount(name, path string) *corev1.VolumeMountArgs {
	return &corev1.VolumeMountArgs{
		Name:      pulumi.String(name),
		MountPath: pulumi.String(path),
		ReadOnly:  pulumi.Bool(true),
	}
}
