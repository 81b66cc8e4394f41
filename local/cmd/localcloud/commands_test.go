package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The end-to-end tests reset before anything else, on a machine that may never have had a local cloud.
func TestResetWhereNothingEverWas(t *testing.T) {
	command := resetCommand(&options{instance: "e2e", state: filepath.Join(t.TempDir(), "never made")})
	command.SetArgs([]string{"--yes"})
	require.ErrorContains(t, command.Execute(), `there is no local cloud "e2e"`)
}
