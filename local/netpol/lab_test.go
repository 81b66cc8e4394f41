package netpol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/knftables"
)

// The lab's addresses: nodes a and b on one bridge with a machine that is no node, two pods on each node. The pods of
// node a are reached through Services too, as kube-proxy makes them: one on each node, one that leads back, and one
// without pods.
var (
	labAddress = map[string]string{
		"a": "10.199.0.11", "b": "10.199.0.12", "outside": "10.199.0.50",
		"a2": "10.199.11.2", "a3": "10.199.11.3", "b2": "10.199.12.2", "b3": "10.199.12.3",
	}
	labServices = map[string]string{
		"near": "10.199.100.1", "far": "10.199.100.2", "self": "10.199.100.3",
		"empty": "10.199.100.4",
	}
	labPods = []string{"a2", "a3", "b2", "b3"}
)

const (
	// patience is how long an answer may take on a busy machine, and how long a test waits to be sure of none.
	patience = 2 * time.Second
	services = `
table ip services {
	chain prerouting {
		type nat hook prerouting priority dstnat
		ip daddr 10.199.100.1 tcp dport 80 dnat to 10.199.11.3:8080
		ip daddr 10.199.100.2 tcp dport 80 dnat to 10.199.12.2:8080
		ip daddr 10.199.100.3 tcp dport 80 dnat to 10.199.11.2:8080
	}
	chain forward {
		type filter hook forward priority filter
		ip daddr 10.199.100.4 tcp dport 80 reject
	}
	chain postrouting {
		type nat hook postrouting priority srcnat
		ip saddr 10.199.11.2 ip daddr 10.199.11.2 masquerade
	}
}
`
)

// lab is two nodes in network namespaces, laid out as those of the local cloud.
type lab struct {
	t      testing.TB
	prefix string
	nft    map[string]knftables.Interface
}

func newLab(t testing.TB) *lab {
	if os.Getuid() != 0 {
		t.Skip("not root: network namespaces cannot be made")
	}
	l := &lab{t: t, prefix: fmt.Sprintf("np-%d-", os.Getpid()), nft: map[string]knftables.Interface{}}
	l.space("router")
	l.run("ip -n @router link add name br0 type bridge", "ip -n @router link set br0 up")
	for _, machine := range []string{"a", "b", "outside"} {
		l.space(machine)
		l.run(
			"ip -n @router link add v-"+machine+" type veth peer name eth0 netns @"+machine,
			"ip -n @router link set v-"+machine+" master br0 up",
			"ip -n @"+machine+" addr add "+labAddress[machine]+"/24 dev eth0",
			"ip -n @"+machine+" link set eth0 up",
		)
	}
	for _, machine := range []string{"a", "b", "outside"} {
		for node, pods := range map[string]string{"a": "10.199.11.0/24", "b": "10.199.12.0/24"} {
			if node != machine {
				l.run("ip -n @" + machine + " route add " + pods + " via " + labAddress[node])
			}
		}
	}
	for _, node := range []string{"a", "b"} {
		gateway := strings.TrimSuffix(labAddress[node+"2"], "2") + "1"
		l.run(
			"nsenter --net=/run/netns/@"+node+" sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1",
			"ip -n @"+node+" route add default via "+labAddress["outside"],
			"ip -n @"+node+" link add name cni0 type bridge",
			"ip -n @"+node+" addr add "+gateway+"/24 dev cni0",
			"ip -n @"+node+" link set cni0 up",
		)
		for _, pod := range []string{node + "2", node + "3"} {
			l.space(pod)
			l.run(
				"ip -n @"+node+" link add "+pod+" type veth peer name eth0 netns @"+pod,
				"ip -n @"+node+" link set "+pod+" master cni0 up",
				"bridge -n @"+node+" link set dev "+pod+" hairpin on",
				"ip -n @"+pod+" addr add "+labAddress[pod]+"/24 dev eth0",
				"ip -n @"+pod+" link set eth0 up",
				"ip -n @"+pod+" route add default via "+gateway,
			)
		}
		require.NoError(t, l.in(node, func() error {
			nft, err := knftables.New(knftables.InetFamily, Table)
			l.nft[node] = nft
			command := exec.CommandContext(t.Context(), "nft", "-f", "-")
			command.Stdin = strings.NewReader(services)
			output, errServices := command.CombinedOutput()
			t.Logf("services of %s: %s", node, output)
			return errors.Join(CheckKernel(), err, errServices)
		}))
	}
	for name := range labAddress {
		for _, port := range []string{"80", "8080", "9000"} {
			l.serve(name, net.JoinHostPort(labAddress[name], port))
		}
	}
	return l
}

// space makes a network namespace that ends with the test.
func (l *lab) space(name string) {
	l.run("ip netns add @" + name)
	l.t.Cleanup(func() {
		output, err := exec.Command("ip", "netns", "delete", l.prefix+name).CombinedOutput()
		require.NoError(l.t, err, string(output))
	})
	l.run("ip -n @" + name + " link set lo up")
}

// run runs commands in which @ stands before the name of a namespace.
func (l *lab) run(commands ...string) {
	l.t.Helper()
	for _, command := range commands {
		words := strings.Fields(strings.ReplaceAll(command, "@", l.prefix))
		output, err := exec.CommandContext(l.t.Context(), words[0], words[1:]...).CombinedOutput()
		require.NoError(l.t, err, "%s: %s", command, output)
	}
}

// in runs a function on a thread in a network namespace: what the function opens and starts is in it.
func (l *lab) in(name string, do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine
		space, err := os.Open("/run/netns/" + l.prefix + name)
		if err == nil {
			err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET)
			_ = space.Close() // opened to read
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// serve echoes what it is sent, by TCP and UDP.
func (l *lab) serve(name, address string) {
	var listener net.Listener
	var packets net.PacketConn
	require.NoError(l.t, l.in(name, func() (err error) {
		if listener, err = net.Listen("tcp", address); err != nil {
			return err
		}
		packets, err = net.ListenPacket("udp", address)
		return err
	}))
	l.t.Cleanup(func() { _, _ = listener.Close(), packets.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn) }()
		}
	}()
	go func() {
		buffer := make([]byte, 8)
		for {
			n, from, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo(buffer[:n], from)
		}
	}()
}

// dial connects with an address, and returns an error where no answer comes.
func (l *lab) dial(protocol, from, address string) (net.Conn, error) {
	var conn net.Conn
	err := l.in(from, func() (err error) {
		ctx, cancel := context.WithTimeout(l.t.Context(), patience)
		defer cancel()
		if conn, err = (&net.Dialer{}).DialContext(ctx, protocol, address); err != nil {
			return err
		}
		l.t.Cleanup(func() { _ = conn.Close() })
		return answers(conn)
	})
	return conn, err
}

func answers(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("?")); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

// pods are the lab's, with their names as label "pod"; "http" is 8080, and on b3 it is 9000.
func (l *lab) pods() []*corev1.Pod {
	var pods []*corev1.Pod
	for _, name := range labPods {
		http := int32(8080)
		if name == "b3" {
			http = 9000
		}
		p := newPod("default", name, name[:1], labAddress[name], http)
		p.ObjectMeta = metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"pod": name}}
		pods = append(pods, p)
	}
	return pods
}
