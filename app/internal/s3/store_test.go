package s3_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/minio/minio-go/v7"

	"agentstack/app/internal/s3"
	"agentstack/app/internal/testenv"
)

func newStore(t *testing.T) (*s3.Store, *testenv.ObjectStore) {
	t.Helper()
	gateway := testenv.NewObjectStore(t)
	store, err := s3.New(s3.Options{
		Endpoint: gateway.URL(), Region: "us-east-1", Bucket: testenv.Bucket,
		AccessKeyID: testenv.AccessKeyID, SecretAccessKey: testenv.Secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	return store, gateway
}

func read(store *s3.Store, key string) ([]byte, error) {
	object, err := store.Get(context.Background(), key)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	return io.ReadAll(object)
}

func TestStore(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	ctx := t.Context()
	large := make([]byte, 70<<20) // three parts
	if _, err := rand.Read(large); err != nil {
		t.Fatal(err)
	}
	for key, content := range map[string][]byte{"a/empty": {}, "a/large": large, "ab/small": []byte("x")} {
		if err := store.Put(ctx, key, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := read(store, key); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s has %d bytes, want %d; error %v", key, len(got), len(content), err)
		}
	}
	keys, err := store.List(ctx, "a/")
	slices.Sort(keys)
	if err != nil || !slices.Equal(keys, []string{"a/empty", "a/large"}) {
		t.Errorf("keys %v, error %v", keys, err)
	}
	for range 2 {
		if err := store.Delete(ctx, "a/large"); err != nil {
			t.Error(err)
		}
	}
	if _, err := read(store, "a/large"); err == nil {
		t.Error("a deleted object can be read")
	}
}

func TestFailedPutLeavesNothing(t *testing.T) {
	t.Parallel()
	store, gateway := newStore(t)
	broken := errors.New("broken")
	part := bytes.NewReader(make([]byte, 33<<20))
	for name, content := range map[string]io.Reader{
		"at once":          iotest.ErrReader(broken),
		"after a part":     io.MultiReader(part, iotest.ErrReader(broken)),
		"after some bytes": io.MultiReader(strings.NewReader("some"), iotest.ErrReader(broken)),
	} {
		if err := store.Put(t.Context(), "object", content); !errors.Is(err, broken) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := store.Put(ctx, "object", readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, ctx.Err()
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if keys, err := store.List(t.Context(), ""); err != nil || len(keys) > 0 {
		t.Errorf("keys %v, error %v", keys, err)
	}
	for upload := range gateway.Client.ListIncompleteUploads(t.Context(), testenv.Bucket, "", true) {
		t.Errorf("upload is left: %+v", upload)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestDeleteUploads(t *testing.T) {
	t.Parallel()
	store, gateway := newStore(t)
	core := minio.Core{Client: gateway.Client}
	for _, key := range []string{"mine/a", "mine/b", "other/a"} {
		if _, err := core.NewMultipartUpload(t.Context(), testenv.Bucket, key, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	left := func() []string {
		var keys []string
		for upload := range gateway.Client.ListIncompleteUploads(t.Context(), testenv.Bucket, "", true) {
			if upload.Err != nil {
				t.Fatal(upload.Err)
			}
			keys = append(keys, upload.Key)
		}
		slices.Sort(keys)
		return keys
	}
	for _, test := range []struct {
		before time.Time
		want   []string
	}{
		{time.Now().Add(-time.Hour), []string{"mine/a", "mine/b", "other/a"}},
		{time.Now().Add(time.Hour), []string{"other/a"}},
	} {
		if err := store.DeleteUploads(t.Context(), "mine/", test.before); err != nil {
			t.Fatal(err)
		}
		if got := left(); !slices.Equal(got, test.want) {
			t.Errorf("uploads %v, want %v", got, test.want)
		}
	}
}
