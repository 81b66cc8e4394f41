//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"agentstack/tests/cloud"
)

const requestTimeout = 10 * time.Second

// api is the deployed one, with a key of a tenant that signed up.
var api *cloud.API

// answers waits until a chat request is answered and its row is in PostgreSQL, and returns the request's id.
func answers(t *testing.T) string {
	t.Helper()
	var got cloud.Answer
	cloud.Eventually(t, cloud.HealTimeout, "the API answers and stores", func() error {
		var err error
		if got, err = api.Chat(fmt.Sprintf("%s at %d", t.Name(), time.Now().UnixNano())); err != nil {
			return err
		}
		return cloud.Stored(got.RequestID)
	})
	return got.RequestID
}
