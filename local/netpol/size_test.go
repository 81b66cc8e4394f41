package netpol

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/knftables"
)

// crowd is a node with pods, all of which each policy selects and lets in.
func crowd(pods, policies int) Snapshot {
	s := Snapshot{Node: "a"}
	for n := range pods {
		s.Pods = append(s.Pods, newPod("shop", "web", "a", fmt.Sprintf("10.0.%d.%d", n/100, 2*(n%100)), 8080))
	}
	for n := range policies {
		p := newPolicy("shop", "podSelector: {}\npolicyTypes: [Ingress, Egress]\n"+
			"ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]\negress: [{to: [{podSelector: {}}]}]")
		p.Name = fmt.Sprint(n)
		s.Policies = append(s.Policies, p)
	}
	return s
}

func transaction(tb testing.TB, nft knftables.Interface, s Snapshot) *knftables.Transaction {
	rules, err := Compile(s)
	require.NoError(tb, err)
	tx := nft.NewTransaction()
	rules.write(tx)
	return tx
}

func TestSizeGrowsWithPodsAndPolicies(t *testing.T) {
	size := func(pods, policies int) int {
		fake := knftables.NewFake(knftables.InetFamily, Table)
		return len(transaction(t, fake, crowd(pods, policies)).String())
	}
	base := size(100, 20)
	t.Logf("100 pods and 20 policies: %d KiB", base>>10)
	require.Less(t, float64(size(200, 20))/float64(base), 2.2, "twice the pods")
	require.Less(t, float64(size(100, 40))/float64(base), 2.2, "twice the policies")
}

func BenchmarkCompile(b *testing.B) {
	s := crowd(100, 20)
	for b.Loop() {
		_, err := Compile(s)
		require.NoError(b, err)
	}
}

func BenchmarkApply(b *testing.B) {
	l := newLab(b)
	for _, pods := range []int{1, 100} {
		tx := transaction(b, l.nft["a"], crowd(pods, 20))
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, l.in("a", func() error { return l.nft["a"].Run(b.Context(), tx) }))
			}
		})
	}
}
