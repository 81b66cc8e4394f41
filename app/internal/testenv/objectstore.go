package testenv

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Bucket is the bucket of every object store, AccessKeyID the account whose key is Secret.
const (
	Bucket      = "backups"
	AccessKeyID = "tester"
)

// ObjectStore is an S3 gateway in front of a folder, for one test.
type ObjectStore struct {
	dir, addr string
	server    *process
	// Client looks at the objects past the program under test.
	Client *minio.Client
}

// NewObjectStore starts a store with one empty bucket.
func NewObjectStore(t testing.TB) *ObjectStore {
	t.Helper()
	program := filepath.Join(os.Getenv("AGENTSTACK_TOOLS"), "versitygw")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("versitygw is not in the folder that AGENTSTACK_TOOLS names: run make deps: %v", err)
	}
	store := &ObjectStore{dir: directory(t), addr: net.JoinHostPort("127.0.0.1", freePorts(t, 1)[0])}
	// Not every file system under /tmp has extended attributes, so metadata is kept beside the objects.
	for _, name := range []string{"objects", "metadata"} {
		if err := os.Mkdir(filepath.Join(store.dir, name), 0o755); err != nil {
			t.Fatalf("make directory: %v", err)
		}
		own(t, filepath.Join(store.dir, name))
	}
	store.server = startProcess(t, store.dir, program, "--access", AccessKeyID, "--secret", Secret,
		"--port", store.addr, "--quiet", "posix", "--sidecar", filepath.Join(store.dir, "metadata"),
		filepath.Join(store.dir, "objects"))
	var err error
	store.Client, err = minio.New(store.addr, &minio.Options{
		Creds: credentials.NewStaticV4(AccessKeyID, Secret, ""), Region: "us-east-1", MaxRetries: 1,
	})
	if err != nil {
		t.Fatalf("make S3 client: %v", err)
	}
	store.server.wait(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
		defer cancel()
		return store.Client.MakeBucket(ctx, Bucket, minio.MakeBucketOptions{})
	})
	return store
}

// URL returns the endpoint.
func (s *ObjectStore) URL() string { return "http://" + s.addr }

// File returns the path of the file that holds an object.
func (s *ObjectStore) File(key string) string { return filepath.Join(s.dir, "objects", Bucket, key) }

// Stop ends the store at once, as a crash would.
func (s *ObjectStore) Stop() { s.server.stop(syscall.SIGKILL) }
