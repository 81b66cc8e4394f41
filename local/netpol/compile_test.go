package netpol

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/knftables"
	"sigs.k8s.io/yaml"
)

// shop is a namespace with pods on two nodes, beside one with others.
func shop(specs ...string) Snapshot {
	s := Snapshot{
		Node: "a",
		Namespaces: []*corev1.Namespace{
			{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "sales"}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "ops", Labels: map[string]string{"team": "ops"}}},
		},
		Pods: []*corev1.Pod{
			newPod("shop", "web", "a", "10.0.1.2", 8080), newPod("shop", "db", "a", "10.0.1.3", 0),
			newPod("shop", "web", "b", "10.0.2.2", 8081), newPod("ops", "prom", "b", "10.0.2.3", 0),
			newPod("ops", "web", "b", "10.0.2.4", 9000),
		},
	}
	host, ended := newPod("ops", "host", "a", "10.0.0.11", 8080), newPod("shop", "db", "a", "10.0.1.9", 0)
	host.Spec.HostNetwork, ended.Status.Phase = true, corev1.PodSucceeded
	s.Pods = append(s.Pods, host, ended, newPod("shop", "db", "a", "", 0))
	for _, spec := range specs {
		s.Policies = append(s.Policies, newPolicy("shop", spec))
	}
	return s
}

func newPod(namespace, app, node, ip string, http int32) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: app + "-" + ip, Labels: map[string]string{"app": app},
		},
		Spec:   corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if ip != "" {
		p.Status.PodIPs = []corev1.PodIP{{IP: "fd00::1"}, {IP: ip}}
	}
	if http != 0 {
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: http}}
	}
	return p
}

func newPolicy(namespace, spec string) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "policy"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
		panic(err)
	}
	return p
}

// open is what a direction gives in which a pod is not isolated.
var open = []string{"everything"}

// through returns the rules by which a pod of the node is reached, or reaches others, beside itself.
func through(t *testing.T, s Snapshot, d direction, ip string) ([]string, error) {
	t.Helper()
	rules, problem := Compile(s)
	fake := knftables.NewFake(knftables.InetFamily, Table)
	tx := fake.NewTransaction()
	rules.write(tx)
	require.NoError(t, fake.Run(t.Context(), tx))
	i := slices.IndexFunc(fake.Table.Maps[d.chains].Elements, func(e *knftables.Element) bool { return e.Key[0] == ip })
	if i < 0 {
		return open, problem
	}
	name := strings.TrimPrefix(fake.Table.Maps[d.chains].Elements[i].Value[0], "goto ")
	own := texts(fake.Table.Chains[name].Rules)
	require.Equal(t, d.peer+" "+ip+" accept", own[0])
	require.Equal(t, "counter drop", own[len(own)-1])
	accepted := []string{}
	for _, jump := range own[1 : len(own)-1] {
		accepted = append(accepted, texts(fake.Table.Chains[strings.TrimPrefix(jump, "jump ")].Rules)...)
	}
	return accepted, problem
}

func texts(rules []*knftables.Rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.Rule)
	}
	return all
}

func TestWhatPoliciesLetThrough(t *testing.T) {
	const (
		ops      = "namespaceSelector: {matchLabels: {team: ops}}"
		isDB     = "podSelector: {matchExpressions: [{key: app, operator: In, values: [db]}]}"
		nobody   = "podSelector: {matchLabels: {app: x}}"
		internet = "ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 169.254.169.254/32]}"
		same     = "10.0.1.2-10.0.1.3, 10.0.2.2"
		outside  = "0.0.0.0-9.255.255.255, 11.0.0.0-169.254.169.253, 169.254.169.255-255.255.255.255"
	)
	none, accept := []string{}, []string{"accept"}
	cases := map[string]effect{
		"no policy":              {nil, open, open},
		"of other pods":          {[]string{"podSelector: {matchLabels: {app: db}}"}, open, open},
		"ingress by default":     {[]string{"podSelector: {}"}, none, open},
		"egress where it is":     {[]string{web + "egress: [{}]"}, none, accept},
		"one type":               {[]string{web + "policyTypes: [Egress]\ningress: [{}]"}, open, none},
		"both types":             {[]string{web + "policyTypes: [Ingress, Egress]"}, none, none},
		"everybody":              {[]string{web + "ingress: [{}]"}, accept, open},
		"empty from and ports":   {[]string{web + "ingress: [{from: [], ports: []}]"}, accept, open},
		"additive":               {[]string{web, web + "ingress: [{}]"}, accept, open},
		"pods of the namespace":  from("podSelector: {}", same),
		"pods by label":          from("podSelector: {matchLabels: {app: db}}", "10.0.1.3"),
		"pods by expression":     from(isDB, "10.0.1.3"),
		"a namespace":            from(ops, "10.0.2.3-10.0.2.4"),
		"all namespaces":         from("namespaceSelector: {}", "10.0.1.2-10.0.1.3, 10.0.2.2-10.0.2.4"),
		"pods of a namespace":    from(ops+", podSelector: {matchLabels: {app: web}}", "10.0.2.4"),
		"nobody":                 from(nobody, ""),
		"a block":                from("ipBlock: {cidr: 10.0.0.0/8}", "10.0.0.0-10.255.255.255"),
		"a block without a part": from("ipBlock: {cidr: 1.0.0.0/30, except: [1.0.0.1/32]}", "1.0.0.0, 1.0.0.2-1.0.0.3"),
		"the whole internet":     from(internet, outside),
		"a block of IPv6":        from("ipBlock: {cidr: 'fd00::/8'}", ""),
		"peers add up":           from(isDB+"}, {ipBlock: {cidr: 10.0.1.4/32}", "10.0.1.3-10.0.1.4"),
		"egress": to("to: [{podSelector: {}}], ports: [{port: 80, protocol: UDP}]",
			"ip daddr { "+same+" } udp dport { 80 } accept"),
		"ports": to("ports: [{port: 80}, {port: 79, endPort: 90}, {port: 53, protocol: UDP}, {port: 99}]",
			"tcp dport { 79-90, 99 } accept", "udp dport { 53 } accept"),
		"a protocol": to("ports: [{protocol: UDP}, {protocol: SCTP, port: 5}, {port: 80}]",
			"tcp dport { 80 } accept", "meta l4proto udp accept", "sctp dport { 5 } accept"),
		"own named port": {
			[]string{web + "ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]"},
			[]string{"ip saddr { " + same + " } ip daddr { 10.0.1.2 } tcp dport { 8080 } accept"}, open,
		},
		"named port of peers": to("to: [{podSelector: {}}], ports: [{port: http}]",
			"ip daddr { "+same+" } ip daddr { 10.0.2.4 } tcp dport { 9000 } accept",
			"ip daddr { "+same+" } ip daddr { 10.0.1.2 } tcp dport { 8080 } accept",
			"ip daddr { "+same+" } ip daddr { 10.0.2.2 } tcp dport { 8081 } accept"),
		"name of another protocol": {[]string{web + "ingress: [{ports: [{port: http, protocol: UDP}]}]"}, none, open},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := through(t, shop(test.specs...), ingress, "10.0.1.2")
			require.NoError(t, err)
			require.Equal(t, test.ingress, got)
			got, err = through(t, shop(test.specs...), egress, "10.0.1.2")
			require.NoError(t, err)
			require.Equal(t, test.egress, got)
			for _, other := range []string{"10.0.2.2", "10.0.0.11", "10.0.1.9"} {
				got, err := through(t, shop(test.specs...), ingress, other)
				require.NoError(t, err)
				require.Equal(t, open, got, "%s is on another node, on the host's network, or has ended", other)
			}
		})
	}
}

// web begins a policy for the pods whose rules are looked at.
const web = "podSelector: {matchLabels: {app: web}}\n"

// effect is what policies do to one pod.
type effect struct{ specs, ingress, egress []string }

// from is the effect of a policy that lets one peer in, which has the given addresses.
func from(peer, addresses string) effect {
	e := effect{[]string{web + "ingress: [{from: [{" + peer + "}]}]"}, []string{}, open}
	if addresses != "" {
		e.ingress = []string{"ip saddr { " + addresses + " } accept"}
	}
	return e
}

// to is the effect of a policy with one rule for what the pod sends.
func to(rule string, want ...string) effect {
	return effect{[]string{web + "policyTypes: [Egress]\negress: [{" + rule + "}]"}, open, want}
}

func TestWhatCannotBeExpressedIsolates(t *testing.T) {
	cases := map[string]struct{ rule, problem string }{
		"block":              {"{from: [{ipBlock: {cidr: 10.0.0.0}}]}", "parse address range"},
		"part of a block":    {"{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [x]}}]}", "parse address range"},
		"block and selector": {"{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}", "either an ipBlock or"},
		"empty peer":         {"{from: [{}]}", "either an ipBlock or"},
		"pod selector": {
			"{from: [{podSelector: {matchExpressions: [{key: a, operator: Near}]}}]}", "podSelector: ",
		},
		"namespace selector": {
			"{from: [{namespaceSelector: {matchExpressions: [{key: a, operator: In}]}}]}", "namespaceSelector: ",
		},
		"end without port":   {"{ports: [{endPort: 9}]}", "endPort without port"},
		"backwards":          {"{ports: [{port: 9, endPort: 8}]}", "ports 9 to 8"},
		"end of a name":      {"{ports: [{port: http, endPort: 8}]}", "ports http to 8"},
		"port zero":          {"{ports: [{port: 0}]}", "ports 0 to 0"},
		"port beyond":        {"{ports: [{port: 70000}]}", "ports 70000 to 70000"},
		"protocol":           {"{ports: [{port: 9, protocol: ICMP}]}", `protocol "ICMP"`},
		"protocol of a name": {"{ports: [{port: http, protocol: ICMP}]}", `protocol "ICMP"`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			s := shop(web + "egress: [{}]\ningress: [{}, " + test.rule + "]")
			got, err := through(t, s, ingress, "10.0.1.2")
			require.ErrorContains(t, err, "NetworkPolicy shop/policy: ingress[1]: ")
			require.ErrorContains(t, err, test.problem)
			require.Empty(t, got, "what is sound beside it lets nothing through either")
			got, _ = through(t, s, egress, "10.0.1.2")
			require.Equal(t, []string{"accept"}, got, "the other direction")
			got, _ = through(t, s, ingress, "10.0.1.3")
			require.Equal(t, open, got, "another pod")
		})
	}
}

func TestUnknownSelectionIsolatesTheNamespace(t *testing.T) {
	s := shop("podSelector: {matchExpressions: [{key: a, operator: Near}]}\ningress: [{}]")
	for _, ip := range []string{"10.0.1.2", "10.0.1.3"} {
		got, err := through(t, s, ingress, ip)
		require.ErrorContains(t, err, "Near")
		require.Empty(t, got)
	}
}

func TestAnAddressBelongsToTheYoungestPod(t *testing.T) {
	s := shop("podSelector: {matchLabels: {app: late}}")
	late := newPod("shop", "late", "a", "10.0.1.2", 0)
	late.CreationTimestamp = metav1.NewTime(time.Now())
	for _, pods := range [][]*corev1.Pod{append([]*corev1.Pod{late}, s.Pods...), append(s.Pods, late)} {
		s.Pods = pods
		got, err := through(t, s, ingress, "10.0.1.2")
		require.NoError(t, err)
		require.Empty(t, got)
	}
}
