package redis

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"agentstack/app/agent"
	"agentstack/app/internal/testenv"
)

func TestTLS(t *testing.T) {
	cluster, authority := testenv.InitRedisCluster(t), testenv.NewAuthority(t)
	cluster.ServeTLS(t, authority)
	cluster.Start(t)
	file := filepath.Join(t.TempDir(), "ca.crt")
	authority.WriteFile(t, file)
	cache := NewCache(newClient(t, cluster, Options{CAFile: file}), time.Hour)
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} { // keys of every leader
		if err := cache.Put(t.Context(), key, &agent.Completion{Body: []byte(key)}); err != nil {
			t.Fatal(err)
		}
		if got, err := cache.Get(t.Context(), key); err != nil || got == nil || string(got.Body) != key {
			t.Errorf("key %s: %v, %v", key, got, err)
		}
	}

	// Another client reads the file when it connects: neither an unknown authority nor a missing one will do.
	late := filepath.Join(t.TempDir(), "ca.crt")
	settings := Options{Addrs: cluster.Addrs(), Password: testenv.Secret, CAFile: late}
	client := NewClient(settings, slog.New(slog.DiscardHandler))
	defer client.Close()
	refused := func(why string) {
		t.Helper()
		if err := client.check(t.Context()); err == nil {
			t.Errorf("%s: connected", why)
		}
	}
	refused("no authority")
	testenv.NewAuthority(t).WriteFile(t, late)
	refused("another authority")
	authority.WriteFile(t, late)
	eventually(t, "the right authority is taken over", func() bool { return client.check(t.Context()) == nil })

	addr := strings.Replace(cluster.Addrs()[0], "127.0.0.1", "localhost", 1)
	if connection, err := tlsDialer(file)(t.Context(), "tcp", addr); err == nil {
		connection.Close()
		t.Errorf("%s: connected to a node whose certificate is for 127.0.0.1", addr)
	}
}
