package netpol

import (
	"sigs.k8s.io/knftables"
)

const (
	// Table is the one table of nftables that holds all of the rules.
	Table = "netpol"
	// maxComment is how many bytes nft allows in a comment.
	maxComment = 128
)

// Ruleset is the rules of a node. Two are equal where reflect.DeepEqual says so.
type Ruleset struct {
	chains []chain
	// verdicts lead from the addresses of isolated pods to their chains.
	verdicts []knftables.Element
}

type chain struct {
	name, comment string
	rules         []string
}

// hooks are where packets enter. What a node sends to its own pods passes none of them: probes always arrive.
var hooks = []struct {
	name  string
	hook  knftables.BaseChainHook
	rules []string
}{
	// Pods have addresses of IPv4 alone. Over the link-local ones of IPv6 they would pass by every policy.
	{"ipv6", knftables.ForwardHook, []string{"meta nfproto ipv6 drop"}},
	{"ipv6-input", knftables.InputHook, []string{"iifname != lo meta nfproto ipv6 drop"}},
	// Each direction has a chain of its own, so that what one accepts is still judged by the other.
	{"forward-egress", knftables.ForwardHook, verdict(egress)},
	{"forward-ingress", knftables.ForwardHook, verdict(ingress)},
	// What a pod sends to its own node.
	{"input-egress", knftables.InputHook, verdict(egress)},
}

func verdict(d direction) []string {
	return []string{"ct state established,related accept", d.own + " vmap @" + d.chains}
}

// ruleset puts a chain for each isolated pod and direction behind those of the policies.
func (c *compiler) ruleset() Ruleset {
	r := Ruleset{chains: c.chains}
	for _, d := range []direction{ingress, egress} {
		for _, p := range c.pods {
			jumps, isolated := c.jumps[d][p.address]
			if !isolated {
				continue
			}
			own := address(p.address).String()
			// No policy keeps a pod from itself.
			rules := []string{d.peer + " " + own + " accept"}
			for _, policy := range jumps {
				rules = append(rules, "jump "+policy)
			}
			name := d.chains + "-" + own
			r.chains = append(r.chains, chain{name, p.String(), append(rules, "counter drop")})
			r.verdicts = append(r.verdicts, knftables.Element{
				Map: d.chains, Key: []string{own}, Value: []string{"goto " + name},
			})
		}
	}
	return r
}

// afterServices lets kube-proxy refuse connections to Services without pods: it does so at the priority of filters.
const afterServices = knftables.FilterPriority + " + 1"

// write replaces the whole table. The kernel does it at once: no packet meets half of the rules.
func (r Ruleset) write(tx *knftables.Transaction) {
	tx.Add(&knftables.Table{})
	tx.Delete(&knftables.Table{})
	tx.Add(&knftables.Table{Comment: new("NetworkPolicies of this node's pods")})
	for _, d := range []direction{ingress, egress} {
		tx.Add(&knftables.Map{Name: d.chains, Type: "ipv4_addr : verdict"})
	}
	for _, c := range r.chains {
		tx.Add(&knftables.Chain{Name: c.name, Comment: new(c.comment[:min(maxComment, len(c.comment))])})
		for _, rule := range c.rules {
			tx.Add(&knftables.Rule{Chain: c.name, Rule: rule})
		}
	}
	for _, e := range r.verdicts {
		tx.Add(&e)
	}
	for _, h := range hooks {
		tx.Add(&knftables.Chain{
			Name: h.name, Type: new(knftables.FilterType), Hook: new(h.hook),
			Priority: new(afterServices),
		})
		for _, rule := range h.rules {
			tx.Add(&knftables.Rule{Chain: h.name, Rule: rule})
		}
	}
}
