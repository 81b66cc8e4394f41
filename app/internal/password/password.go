// Package password hashes passwords with argon2id.
package password

import (
	"fmt"
	"time"

	"github.com/alexedwards/argon2id"

	"agentstack/app/problem"
)

const (
	// concurrent bounds how many hashes run at once: each takes 19 MiB and a core.
	concurrent = 4
	// maxWait bounds how long one waits for its turn.
	maxWait = 2 * time.Second
)

// params are OWASP's for argon2id: 19 MiB of memory, 2 iterations, parallelism 1.
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id
var params = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// Argon2id is an account.Hasher. A password's length is for the caller to bound. When too many hashes are waiting, it
// fails with problem.Unavailable.
type Argon2id struct {
	slots chan struct{}
}

// New returns a hasher of which a process needs one.
func New() Argon2id { return Argon2id{slots: make(chan struct{}, concurrent)} }

// Hash returns the hash of a password with a new salt, in PHC form.
func (a Argon2id) Hash(password string) (string, error) {
	if err := a.enter(); err != nil {
		return "", err
	}
	defer a.leave()
	hash, err := argon2id.CreateHash(password, params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// Verify tells in constant time whether a hash is that of a password. A hash that cannot be read is an error.
func (a Argon2id) Verify(password, hash string) (bool, error) {
	if err := a.enter(); err != nil {
		return false, err
	}
	defer a.leave()
	right, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	return right, nil
}

func (a Argon2id) enter() error {
	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-timeout.C:
		return &problem.Error{
			Kind:       problem.Unavailable,
			Code:       "too_many_logins",
			Message:    "Too many passwords are being checked now. Try again.",
			RetryAfter: time.Second,
		}
	}
}

func (a Argon2id) leave() { <-a.slots }
