package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

var errBroken = errors.New("broken")

// database is a source with one table. Its archive is a text.
type database struct {
	tables error
	// dumped is closed when the archive has been read to its end.
	dumped chan struct{}
}

func (d *database) Snapshot(context.Context) (Snapshot, error) { return d, nil }
func (d *database) About() About                               { return About{Database: "app", Owner: "owner"} }
func (d *database) Close()                                     {}

func (d *database) Dump(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader("archive"), readerFunc(func([]byte) (int, error) {
		close(d.dumped)
		return 0, io.EOF
	}))), nil
}

// Tables fails only after the archive is complete.
func (d *database) Tables(context.Context) ([]Table, error) {
	<-d.dumped
	return []Table{{Schema: "public", Name: "t", Rows: 1, Checksum: "7"}}, d.tables
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// bucket is a store in memory.
type bucket struct {
	objects map[string]string
	// damage is what becomes of the content of a dump.
	damage func(string) string
	// failing is the end of a key that cannot be stored.
	failing string
	// stored is called after each object.
	stored func(key string)
}

func (b *bucket) Put(_ context.Context, key string, content io.Reader) error {
	read, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	if b.failing != "" && strings.HasSuffix(key, b.failing) {
		return errBroken
	}
	b.objects[key] = string(read)
	if b.damage != nil && path.Base(key) == "dump" {
		b.objects[key] = b.damage(string(read))
	}
	if b.stored != nil {
		b.stored(key)
	}
	return nil
}

func (b *bucket) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	content, found := b.objects[key]
	if !found {
		return nil, errors.New("no such object")
	}
	return io.NopCloser(bytes.NewReader([]byte(content))), ctx.Err()
}

func (b *bucket) List(_ context.Context, prefix string) ([]string, error) {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(b.objects)), func(key string) bool {
		return !strings.HasPrefix(key, prefix)
	}), nil
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if ctx.Err() == nil {
		delete(b.objects, key)
	}
	return ctx.Err()
}

func (b *bucket) DeleteUploads(context.Context, string, time.Time) error { return nil }

func TestCreate(t *testing.T) {
	tests := map[string]struct {
		tables error
		bucket bucket
		cancel bool // after the dump is stored
		want   string
	}{
		"whole":                    {want: ""},
		"tables cannot be read":    {tables: errBroken, want: "measure tables: broken"},
		"dump cannot be stored":    {bucket: bucket{failing: "dump"}, want: "store dump: broken"},
		"dump is changed":          {bucket: bucket{damage: strings.ToUpper}, want: "is damaged"},
		"dump is lost":             {bucket: bucket{damage: func(string) string { return "" }}, want: "is damaged"},
		"manifest not stored":      {bucket: bucket{failing: "manifest.json"}, want: "store manifest: broken"},
		"stopped before its proof": {cancel: true, want: "context canceled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			store := test.bucket
			store.objects = map[string]string{}
			if test.cancel {
				store.stored = func(string) { cancel() }
			}
			service := &Service{
				Source: &database{test.tables, make(chan struct{})}, Store: &store, Prefix: "backups/app",
				Retention: 30 * day, Log: slog.New(slog.DiscardHandler),
			}
			manifest, err := service.Create(ctx)
			if test.want == "" {
				if err != nil || len(store.objects) != 2 || manifest.Size != int64(len("archive")) {
					t.Errorf("manifest %+v, objects %v, error %v", manifest, store.objects, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if len(store.objects) > 0 {
				t.Errorf("objects are left: %v", store.objects)
			}
		})
	}
}
