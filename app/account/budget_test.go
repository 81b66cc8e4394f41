package account

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"agentstack/app/problem"
)

func TestAdmit(t *testing.T) {
	const reserve, settle = "reserve key:k 9 ", "settle key:k "
	for name, test := range map[string]struct {
		principal Principal
		tokens    int64
		used      int64
		want      []string
	}{
		"no limits":     {Principal{KeyID: "k"}, 100, 50, nil},
		"requests":      {Principal{KeyID: "k", RequestsPerMinute: 3}, 100, 50, []string{"allow key:k 3"}},
		"budget, less":  {Principal{KeyID: "k", TokensPerDay: 9}, 100, 50, []string{reserve + "100", settle + "-50"}},
		"budget, more":  {Principal{KeyID: "k", TokensPerDay: 9}, 10, 50, []string{reserve + "10", settle + "40"}},
		"budget, equal": {Principal{KeyID: "k", TokensPerDay: 9}, 10, 10, []string{reserve + "10"}},
		"no work":       {Principal{KeyID: "k", TokensPerDay: 9}, 10, 0, []string{reserve + "10", settle + "-10"}},
		"negative":      {Principal{KeyID: "k", TokensPerDay: 9}, -10, 0, []string{reserve + "0"}},
		"both": {Principal{KeyID: "k", RequestsPerMinute: 3, TokensPerDay: 9}, 1, 1,
			[]string{"allow key:k 3", reserve + "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			ctx, cancel := context.WithCancel(t.Context())
			done, err := f.Admit(ctx, &test.principal, test.tokens)
			if err != nil {
				t.Fatal(err)
			}
			cancel() // the client is gone
			done(test.used)
			if !slices.Equal(f.limiter.asked, test.want) {
				t.Errorf("asked %q, want %q", f.limiter.asked, test.want)
			}
		})
	}
}

func TestAdmitRefuses(t *testing.T) {
	for name, principal := range map[string]Principal{
		"requests": {KeyID: "k", RequestsPerMinute: 3, TokensPerDay: 9},
		"budget":   {KeyID: "k", TokensPerDay: 9},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.limiter.err = problem.New(problem.Limited, "over", "slow down")
			_, err := f.Admit(t.Context(), &principal, 1)
			wantCode(t, err, problem.Limited, "over")
			if len(f.limiter.asked) != 1 {
				t.Errorf("asked %q", f.limiter.asked)
			}
		})
	}
}

func TestAdmitOverMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		time.Sleep(24*time.Hour - time.Second) // the clock starts at midnight
		settle, err := f.Admit(t.Context(), &Principal{KeyID: "k", TokensPerDay: 9}, 5)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		settle(1)
		if len(f.limiter.asked) != 1 {
			t.Errorf("the new day was corrected: %q", f.limiter.asked)
		}
	})
}
