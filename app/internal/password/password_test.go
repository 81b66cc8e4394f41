package password

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/account"
	"agentstack/app/problem"
)

var _ account.Hasher = Argon2id{}

func TestHash(t *testing.T) {
	hasher := New()
	hash, err := hasher.Hash("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q is not made with OWASP's parameters", hash)
	}
	again, err := hasher.Hash("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if hash == again {
		t.Error("two hashes have the same salt")
	}
	for name, test := range map[string]struct {
		password, hash  string
		right, readable bool
	}{
		"right":             {"correct horse battery", hash, true, true},
		"right, other salt": {"correct horse battery", again, true, true},
		"wrong":             {"correct horse batterz", hash, false, true},
		"empty":             {"", hash, false, true},
		// Made by the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1
		"reference": {"password",
			"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", true, true},
		"no hash":           {"", "", false, false},
		"another algorithm": {"x", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			right, err := hasher.Verify(test.password, test.hash)
			if right != test.right || (err == nil) != test.readable {
				t.Errorf("%v, %v", right, err)
			}
		})
	}
}

// Each hash takes 19 MiB, so more than a few at once would be the end of the process.
func TestHashesWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hasher := New()
		for range concurrent {
			if err := hasher.enter(); err != nil {
				t.Fatal(err)
			}
		}
		_, err := hasher.Hash("correct horse battery")
		var known *problem.Error
		if !errors.As(err, &known) || known.Kind != problem.Unavailable || known.RetryAfter == 0 {
			t.Errorf("one too many: %v", err)
		}
		go func() {
			time.Sleep(maxWait / 2)
			hasher.leave()
		}()
		if _, err := hasher.Hash("correct horse battery"); err != nil {
			t.Errorf("a turn that came in time: %v", err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	hasher := New()
	hash, err := hasher.Hash("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 2 * concurrent {
		group.Go(func() {
			if right, err := hasher.Verify("correct horse battery", hash); !right || err != nil {
				t.Errorf("%v, %v", right, err)
			}
		})
	}
	group.Wait()
	if len(hasher.slots) != 0 {
		t.Errorf("%d slots are still taken", len(hasher.slots))
	}
}
