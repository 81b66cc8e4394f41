package netpol

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// enforce puts policies in force on both nodes.
func (l *lab) enforce(specs ...string) {
	l.t.Helper()
	s := Snapshot{
		Pods:       l.pods(),
		Namespaces: []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "default"}}},
	}
	for _, spec := range specs {
		s.Policies = append(s.Policies, newPolicy("default", spec))
	}
	for _, node := range []string{"a", "b"} {
		s.Node = node
		rules, err := Compile(s)
		require.NoError(l.t, err)
		tx := l.nft[node].NewTransaction()
		rules.write(tx)
		require.NoError(l.t, l.in(node, func() error { return l.nft[node].Run(l.t.Context(), tx) }), tx.String())
	}
}

// expect tries connections such as "a2>b2:80 udp" side by side, each of which must be made or not.
func (l *lab) expect(made bool, connections string) {
	l.t.Helper()
	var all sync.WaitGroup
	for _, connection := range strings.Split(connections, ", ") {
		path, protocol, _ := strings.Cut(connection, " ")
		from, to, _ := strings.Cut(path, ">")
		name, port, _ := strings.Cut(to, ":")
		address := labAddress[name] + labServices[name]
		if protocol == "" {
			protocol = "tcp"
		}
		all.Go(func() {
			if _, err := l.dial(protocol, from, net.JoinHostPort(address, port)); (err == nil) != made {
				l.t.Errorf("%s: made %v, want %v (%v)", connection, err == nil, made, err)
			}
		})
	}
	all.Wait()
}

func TestEnforcement(t *testing.T) {
	l := newLab(t)
	const everything = "a2>a3:80, a2>b2:80, b2>a2:80, outside>a2:80, a>a2:80, b>a2:80, a2>a:80, a2>b:80, " +
		"a2>outside:80, a2>near:80, a2>far:80, a2>self:80, a2>a3:80 udp, a2>b2:80 udp, a2>a2:80"
	const a2 = "podSelector: {matchLabels: {pod: a2}}\n"
	cases := []struct {
		name          string
		policies      []string
		made, refused string
	}{
		{"no policy", nil, everything, ""},
		{
			"nothing in", []string{a2},
			"a2>a3:80, a2>b2:80, a2>near:80, a2>far:80, a2>a:80, a2>outside:80, a>a2:80, a2>a2:80, a2>self:80",
			"a3>a2:80, b2>a2:80, outside>a2:80, b>a2:80, a3>a2:80 udp, b2>a2:80 udp",
		},
		{
			"nothing out", []string{a2 + "policyTypes: [Egress]"},
			"a3>a2:80, b2>a2:80, outside>a2:80, a>a2:80, a2>a2:80, a2>self:80",
			"a2>a3:80, a2>b2:80, a2>a:80, a2>b:80, a2>outside:80, a2>near:80, a2>far:80, a2>a3:80 udp, a2>b2:80 udp",
		},
		{
			"nothing at all for anybody", []string{"podSelector: {}\npolicyTypes: [Ingress, Egress]"},
			"a>a2:80, b>b2:80, a2>a2:80", "a2>a3:80, a2>b2:80, b2>a2:80, a2>a:80, outside>b2:80, b>a2:80",
		},
		{
			"some in", []string{a2 +
				"ingress: [{from: [{podSelector: {matchLabels: {pod: b2}}}], ports: [{port: 80}]}]"},
			"b2>a2:80, a>a2:80", "b2>a2:8080, b2>a2:80 udp, b3>a2:80, a3>a2:80, outside>a2:80",
		},
		{
			"out to pods, by their own ports", []string{a2 + "policyTypes: [Egress]\n" +
				"egress: [{ports: [{port: http}], to: [{podSelector: {matchExpressions: " +
				"[{key: pod, operator: In, values: [a3, b2, b3]}]}}]}]"},
			"a2>a3:8080, a2>b2:8080, a2>b3:9000, a2>near:80, a2>far:80", "a2>b3:8080, a2>a3:80, a2>outside:8080",
		},
		{
			"in to a named port", []string{"podSelector: {}\ningress: [{ports: [{port: http}]}]"},
			"a2>a3:8080, outside>b3:9000", "a2>a3:9000, outside>b3:8080",
		},
		{
			"out to a block but a part of it", []string{a2 + "policyTypes: [Egress]\n" +
				"egress: [{to: [{ipBlock: {cidr: 10.199.0.0/16, except: [10.199.12.0/24, 10.199.0.11/32]}}]}]"},
			"a2>a3:80, a2>outside:80, a2>b:80, a2>near:80, a2>a3:80 udp", "a2>b2:80, a2>far:80, a2>a:80, a2>b2:80 udp",
		},
		{
			"out to the own node", []string{a2 + "policyTypes: [Egress]\n" +
				"egress: [{to: [{ipBlock: {cidr: 10.199.0.11/32}}], ports: [{port: 80}]}]"},
			"a2>a:80", "a2>a:8080, a2>b:80",
		},
		{
			"in from a machine that is no pod", []string{a2 + "ingress: [{from: [{ipBlock: {cidr: 10.199.0.50/32}}]}]"},
			"outside>a2:80, outside>a2:80 udp", "b>a2:80, b2>a2:80, a3>a2:80",
		},
		{
			"a range of ports of all protocols", []string{"podSelector: {}\ningress: [{ports: " +
				"[{port: 8000, endPort: 9000}, {port: 80, endPort: 9000, protocol: UDP}, {protocol: SCTP}]}]"},
			"a2>a3:8080, a2>b3:9000, a2>b3:80 udp", "a2>a3:80, b2>a2:80",
		},
		{
			"both sides must agree",
			[]string{a2 + "policyTypes: [Egress]\negress: [{}]", "podSelector: {matchLabels: {pod: a3}}"},
			"a2>b2:80, a2>a:80", "a2>a3:80, a2>near:80",
		},
		{
			"policies add up",
			[]string{a2, a2 + "ingress: [{ports: [{port: 80}]}]", a2 + "ingress: [{ports: [{port: 9000}]}]"},
			"b2>a2:80, b2>a2:9000", "b2>a2:8080",
		},
		{"no policy again", nil, everything, ""},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			l.t = t
			l.enforce(test.policies...)
			l.expect(true, test.made)
			if test.refused != "" {
				l.expect(false, test.refused)
			}
		})
	}
}

// A Service without pods refuses at once, and who asks needs no policy that says so: waiting would make a loss last
// longer.
func TestServiceWithoutPodsRefuses(t *testing.T) {
	l := newLab(t)
	l.enforce("podSelector: {}\npolicyTypes: [Egress]")
	_, err := l.dial("tcp", "a2", net.JoinHostPort(labServices["empty"], "80"))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// Over the addresses that interfaces give themselves, pods of one bridge and their node would meet all the same.
func TestLinkLocalAddressesLeadNowhere(t *testing.T) {
	l := newLab(t)
	own, _ := l.link("a2", "eth0")
	var addresses []string
	for name, device := range map[string]string{"a3": "eth0", "a": "cni0"} {
		_, address := l.link(name, device)
		// By number, since names of interfaces are kept for all namespaces alike.
		addresses = append(addresses, fmt.Sprintf("[%s%%%d]:8888", address, own))
		l.serve(name, "[::]:8888")
	}
	for _, address := range addresses {
		require.Eventually(t, func() bool {
			_, err := l.dial("tcp6", "a2", address)
			return err == nil
		}, 5*patience, patience/10, address)
	}
	l.enforce()
	for _, address := range addresses {
		_, err := l.dial("tcp6", "a2", address)
		// Whether the context or the connection notices first is chance.
		var late net.Error
		require.ErrorAs(t, err, &late, address)
		require.True(t, late.Timeout(), "%s: %v", address, err)
	}
}

// link returns the number of an interface and its address of IPv6.
func (l *lab) link(name, device string) (index int, address net.IP) {
	l.t.Helper()
	require.NoError(l.t, l.in(name, func() error {
		link, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		index = link.Index
		all, err := link.Addrs()
		for _, a := range all {
			if ip := a.(*net.IPNet).IP; ip.To4() == nil {
				address = ip
			}
		}
		return err
	}))
	require.NotNil(l.t, address)
	return index, address
}
