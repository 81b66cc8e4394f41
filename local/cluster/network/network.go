// Package network lays the wires of an instance: a router namespace, one bridge a region in it, one namespace for
// each control plane and node, and one link to the host.
package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"agentstack/local/cluster/topology"
)

// Execute makes every namespace, link, address and route of an instance that does not exist. What a killed run left
// half made must have been removed before.
func Execute(ctx context.Context, i topology.Instance) error {
	if !Exists(i.RouterNamespace()) {
		if err := makeRouter(ctx, i); err != nil {
			return err
		}
	}
	for _, r := range i.Regions() {
		if Exists(r.ControlPlaneNamespace()) {
			continue
		}
		if err := makeRegion(ctx, i, r); err != nil {
			return fmt.Errorf("make network of region %s: %w", r.Name, err)
		}
	}
	return nil
}

// Exists says whether a network namespace of that name exists.
func Exists(namespace string) bool {
	_, err := os.Stat(filepath.Join("/run/netns", namespace))
	return err == nil
}

func makeRouter(ctx context.Context, i topology.Instance) error {
	ns := i.RouterNamespace()
	return runAll(ctx,
		"ip netns add "+ns,
		"ip -n "+ns+" link set lo up",
		"ip link add "+i.HostLink()+" type veth peer name host netns "+ns,
		"ip addr add "+i.HostAddress()+"/24 dev "+i.HostLink(),
		"ip link set "+i.HostLink()+" up",
		"ip -n "+ns+" addr add "+i.RouterAddress()+"/24 dev host",
		"ip -n "+ns+" link set host up",
		"ip -n "+ns+" route add default via "+i.HostAddress(),
		sysctl(ns, "net.ipv4.ip_forward=1"),
		// Frames between ports of a bridge are not the router's to filter.
		sysctl(ns, "net.bridge.bridge-nf-call-iptables=0"),
		"ip route add "+i.CIDR()+" via "+i.RouterAddress(),
	)
}

// makeRegion makes the control plane's namespace last: Execute takes it for the sign of a whole region.
func makeRegion(ctx context.Context, i topology.Instance, r topology.Region) error {
	router := i.RouterNamespace()
	err := runAll(ctx,
		"ip -n "+router+" link add "+r.Bridge()+" type bridge",
		"ip -n "+router+" addr add "+r.Gateway+"/24 dev "+r.Bridge(),
		"ip -n "+router+" link set "+r.Bridge()+" up",
		"ip -n "+router+" route add "+r.ServiceCIDR+" via "+r.ControlPlane,
		// Nodes pull from the registry and the host pushes to it; pods have no business there.
		fmt.Sprintf("nsenter --net=/run/netns/%s iptables -A INPUT -s %s -p tcp --dport %d -j REJECT",
			router, r.PodCIDR, topology.RegistryPort),
	)
	if err != nil {
		return err
	}
	for _, n := range r.Nodes {
		if err := attach(ctx, r, n.Namespace, n.Link(), n.Address); err != nil {
			return err
		}
		if err := runAll(ctx, podRoutes(r, n.Namespace, n.Name)...); err != nil {
			return err
		}
	}
	if err := runAll(ctx, podRoutes(r, router, "")...); err != nil {
		return err
	}
	cp := r.ControlPlaneNamespace()
	if err := attach(ctx, r, cp, "v-"+r.Name, r.ControlPlane); err != nil {
		return err
	}
	return runAll(ctx, podRoutes(r, cp, "")...)
}

// attach makes a namespace with one interface, eth0, on the region's bridge.
func attach(ctx context.Context, r topology.Region, ns, port, address string) error {
	router := r.Instance().RouterNamespace()
	return runAll(ctx,
		"ip netns add "+ns,
		"ip -n "+ns+" link set lo up",
		"ip -n "+router+" link add "+port+" type veth peer name eth0 netns "+ns,
		"ip -n "+router+" link set "+port+" master "+r.Bridge(),
		"ip -n "+router+" link set "+port+" up",
		"ip -n "+ns+" addr add "+address+"/24 dev eth0",
		"ip -n "+ns+" link set eth0 up",
		"ip -n "+ns+" route add default via "+r.Gateway,
		sysctl(ns, "net.ipv4.ip_forward=1"),
		// Pods of one node that meet through a Service pass kube-proxy's rules only with this.
		sysctl(ns, "net.bridge.bridge-nf-call-iptables=1"),
	)
}

// podRoutes lead from a namespace to the pods of every node but one.
func podRoutes(r topology.Region, ns, except string) []string {
	var commands []string
	for _, n := range r.Nodes {
		if n.Name != except {
			commands = append(commands, "ip -n "+ns+" route replace "+n.PodCIDR+" via "+n.Address)
		}
	}
	return commands
}

func sysctl(ns, assignment string) string {
	return "nsenter --net=/run/netns/" + ns + " sysctl -qw " + assignment
}

// Remove deletes the namespaces, and with them all that is in them, the router's end of the host's link included.
func Remove(ctx context.Context, i topology.Instance) error {
	var errs []error
	for _, ns := range i.Namespaces() {
		if Exists(ns) {
			errs = append(errs, runAll(ctx, "ip netns delete "+ns))
		}
	}
	if _, err := os.Stat("/sys/class/net/" + i.HostLink()); err == nil {
		errs = append(errs, runAll(ctx, "ip link delete "+i.HostLink()))
	}
	return errors.Join(errs...)
}

// InUse says whether the host has a route or an address inside a range.
func InUse(ctx context.Context, cidr string) (bool, error) {
	output, err := exec.CommandContext(ctx, "ip", "-4", "route", "show", "root", cidr).CombinedOutput()
	if err != nil {
		return false, fmt.Errorf("list routes: %w: %s", err, output)
	}
	return len(strings.TrimSpace(string(output))) > 0, nil
}

// SetLink cuts a node off its region's bridge, or joins it again.
func SetLink(ctx context.Context, i topology.Instance, n topology.Node, up bool) error {
	state := "down"
	if up {
		state = "up"
	}
	return runAll(ctx, "ip -n "+i.RouterNamespace()+" link set "+n.Link()+" "+state)
}

// runAll runs commands whose words hold no spaces.
func runAll(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		words := strings.Fields(command)
		if output, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("run %s: %w: %s", command, err, strings.TrimSpace(string(output)))
		}
	}
	return nil
}
