package rediscluster

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// nodeState is a line of CLUSTER NODES.
type nodeState struct {
	id, host, flags, leaderID, link, slots string
}

// owned returns the slots that the node has, without notes of those that are on their way.
func (n nodeState) owned() []int {
	var slots []int
	for entry := range strings.FieldsSeq(n.slots) {
		if strings.HasPrefix(entry, "[") {
			continue
		}
		var first, last int
		if count, _ := fmt.Sscanf(entry, "%d-%d", &first, &last); count == 1 {
			last = first
		}
		for slot := first; slot <= last; slot++ {
			slots = append(slots, slot)
		}
	}
	return slots
}

// nodes returns the nodes that the pod's node has met.
func (p *testPod) nodes() ([]nodeState, error) {
	output, err := p.asOperator("cluster", "nodes")
	if err != nil {
		return nil, err
	}
	var nodes []nodeState
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			return nil, fmt.Errorf("%s knows %q", p.name, line)
		}
		if strings.Contains(fields[2], "handshake") {
			continue
		}
		_, host, _ := strings.Cut(fields[1], ",")
		nodes = append(nodes, nodeState{
			id: fields[0], host: host, flags: fields[2], leaderID: fields[3], link: fields[7],
			slots: strings.Join(fields[8:], " "),
		})
	}
	return nodes, nil
}

// table returns the nodes that the pod's node has met, by host name. Two nodes of one name are an error.
func (p *testPod) table() (map[string]nodeState, error) {
	nodes, err := p.nodes()
	if err != nil {
		return nil, err
	}
	table := map[string]nodeState{}
	for _, node := range nodes {
		if _, exists := table[node.host]; exists {
			return nil, fmt.Errorf("%s knows two nodes named %q: %+v", p.name, node.host, nodes)
		}
		table[node.host] = node
	}
	return table, nil
}

// self returns what the pod's node knows about itself.
func (p *testPod) self() (nodeState, error) {
	nodes, err := p.nodes()
	if err != nil {
		return nodeState{}, err
	}
	for _, node := range nodes {
		if strings.Contains(node.flags, "myself") {
			return node, nil
		}
	}
	return nodeState{}, fmt.Errorf("%s does not know itself: %+v", p.name, nodes)
}

// formed reports whether every node sees the cluster as it should be: the leader pods lead, each follower pod
// follows its own, all are connected, and every pod is ready.
func (c *testCluster) formed() error {
	for _, pod := range c.pods() {
		if err := c.seenCorrectlyBy(pod); err != nil {
			return err
		}
		if output, err := pod.run("ready.sh"); err != nil {
			return fmt.Errorf("%s is not ready: %s", pod.name, output)
		}
	}
	return nil
}

func (c *testCluster) seenCorrectlyBy(pod *testPod) error {
	nodes, err := pod.table()
	if err != nil {
		return err
	}
	if len(nodes) != len(c.pods()) {
		return fmt.Errorf("%s knows %d nodes: %+v", pod.name, len(nodes), nodes)
	}
	shards := len(c.leaders)
	for index, leader := range c.leaders {
		lead, share := nodes[leader.name], 16384*(index+1)/shards-16384*index/shards
		if !strings.Contains(lead.flags, "master") || len(lead.owned()) != share || lead.link != "connected" {
			return fmt.Errorf("%s sees leader %d, who should have %d slots, as %+v", pod.name, index, share, lead)
		}
	}
	for index, follower := range c.followers {
		lead, follow := nodes[c.leaders[index%shards].name], nodes[follower.name]
		if follow.leaderID != lead.id || follow.link != "connected" || strings.Contains(follow.flags, "fail") {
			return fmt.Errorf("%s sees follower %d as %+v", pod.name, index, follow)
		}
	}
	return nil
}

// leads reports whether the pod's node owns slots, and says so itself.
func (p *testPod) leads() error {
	self, err := p.self()
	if err == nil && self.slots == "" {
		err = fmt.Errorf("%s leads nothing: %+v", p.name, self)
	}
	return err
}

// ids returns the identity of every node.
func (c *testCluster) ids() (map[string]string, error) {
	ids := map[string]string{}
	for _, pod := range c.pods() {
		self, err := pod.self()
		if err != nil {
			return nil, err
		}
		ids[pod.name] = self.id
	}
	return ids, nil
}

var nodesCalls = regexp.MustCompile(`cmdstat_cluster\|nodes:calls=(\d+)`)

// rounds counts how often the node was asked for its table, which an agent does in every round. The question that is
// asked here is not counted.
func (p *testPod) rounds() (int, error) {
	output, err := p.asOperator("info", "commandstats")
	if err != nil {
		return 0, err
	}
	match := nodesCalls.FindStringSubmatch(output)
	if match == nil {
		return 0, nil
	}
	return strconv.Atoi(match[1])
}

// afterRounds waits until the node of every pod was asked for its table count times more.
func (c *testCluster) afterRounds(count int, pods []*testPod) {
	c.t.Helper()
	start := map[*testPod]int{}
	for _, pod := range pods {
		rounds, err := pod.rounds()
		must(c.t, err)
		start[pod] = rounds
	}
	for _, pod := range pods {
		c.eventually("rounds of the agents", func() error {
			now, err := pod.rounds()
			if err == nil && now < start[pod]+count {
				err = fmt.Errorf("%s was looked at %d times of %d", pod.name, now-start[pod], count)
			}
			return err
		})
	}
}

// keys is how many keys write stores under a prefix.
const keys = 60

// write stores keys through any node; read checks that all are there.
func (c *testCluster) write(prefix string) {
	c.t.Helper()
	for number := range keys {
		key := fmt.Sprintf("%s:%d", prefix, number)
		c.eventually("write of "+key, func() error {
			_, err := c.anyNode().asApp("set", key, key)
			return err
		})
	}
}

// read asks again while a node sends the client to an address that it has not heard the successor of; what is answered
// in the end must be what was written.
func (c *testCluster) read(prefix string) {
	c.t.Helper()
	for number := range keys {
		key := fmt.Sprintf("%s:%d", prefix, number)
		var value string
		c.eventually("read of "+key, func() (err error) {
			value, err = c.anyNode().asApp("get", key)
			return err
		})
		if value != key {
			c.t.Fatalf("read %s: got %q", key, value)
		}
	}
}

// anyNode returns a pod that runs.
func (c *testCluster) anyNode() *testPod {
	for _, pod := range c.pods() {
		if pod.redis != nil {
			return pod
		}
	}
	c.t.Fatal("no node runs")
	return nil
}
