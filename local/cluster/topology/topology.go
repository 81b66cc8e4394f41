// Package topology says where everything of an instance of the local cloud is: names, addresses and folders. It is
// pure arithmetic; nothing here touches the machine.
package topology

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
)

const (
	// NodesPerRegion is one node for each of the three zones that a region has.
	NodesPerRegion = 3
	// MaxRegions is what fits into the 16-bit address range of an instance.
	MaxRegions = 6
	// RegistryPort is where the image registry listens, on the router's address.
	RegistryPort = 5000
)

// Interface names hold 15 characters, and the longest prefix that is put before a name is "as-" or "br-".
var (
	instanceName = regexp.MustCompile(`^[a-z][a-z0-9]{0,9}$`)
	regionName   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,9}[a-z0-9]$`)
)

// Instance is one local cloud. Several can stand side by side on one machine.
type Instance struct {
	Name string `json:"name"`
	// Dir holds everything that the instance keeps.
	Dir string `json:"dir"`
	// Octet is the second number of the instance's address range 10.<Octet>.0.0/16.
	Octet int `json:"octet"`
	// RegionNames are the regions, in the order in which their addresses were given out.
	RegionNames []string `json:"regions"`
}

// Region is a control plane and its nodes on one bridge.
type Region struct {
	Name  string
	Dir   string
	Nodes []Node
	// ControlPlane is the address of the API server; Gateway the router's address on the region's bridge.
	ControlPlane, Gateway string
	// NodeCIDR, PodCIDR and ServiceCIDR are the region's address ranges.
	NodeCIDR, PodCIDR, ServiceCIDR string
	// KubernetesService and DNS are the first and the tenth address of the Service range.
	KubernetesService, DNS string
	instance               Instance
}

// Node is one machine of a region: a network namespace with its own container runtime and kubelet.
type Node struct {
	Name, Region, Zone string
	Dir                string
	Address, PodCIDR   string
	Namespace          string
	// Cgroup is the node's path in each cgroup hierarchy, with a leading slash.
	Cgroup string
}

// Validate reports everything that is wrong with an instance's names.
func (i Instance) Validate() error {
	var errs []error
	if !instanceName.MatchString(i.Name) {
		errs = append(errs, fmt.Errorf("instance: %q is not 1 to 10 lower-case letters and digits", i.Name))
	}
	if n := len(i.RegionNames); n < 1 || n > MaxRegions {
		errs = append(errs, fmt.Errorf("regions: %d given, 1 to %d allowed", n, MaxRegions))
	}
	for n, name := range i.RegionNames {
		if !regionName.MatchString(name) {
			errs = append(errs, fmt.Errorf(
				"regions[%d]: %q is not 2 to 11 lower-case letters, digits and inner dashes", n, name))
		}
		if slices.Contains(i.RegionNames[:n], name) {
			errs = append(errs, fmt.Errorf("regions[%d]: %q is given twice", n, name))
		}
	}
	return errors.Join(errs...)
}

// CIDR is the instance's whole address range.
func (i Instance) CIDR() string { return i.address(0, 0) + "/16" }

// HostAddress is the host's end of the one link between the host and the instance.
func (i Instance) HostAddress() string { return i.address(0, 1) }

// RouterAddress is the instance's end of that link.
func (i Instance) RouterAddress() string { return i.address(0, 2) }

// Registry is the host and port of the image registry, as the Docker daemon and the nodes reach it.
func (i Instance) Registry() string { return fmt.Sprintf("%s:%d", i.RouterAddress(), RegistryPort) }

// HostLink is the one interface that the instance adds to the host's network.
func (i Instance) HostLink() string { return "as-" + i.Name }

// RouterNamespace is the network namespace in which the regions' bridges meet.
func (i Instance) RouterNamespace() string { return i.namespace("router") }

// Kubeconfig is the file with one context a region.
func (i Instance) Kubeconfig() string { return i.Path("kubeconfig") }

// DockerSocket is where the instance's own Docker daemon listens.
func (i Instance) DockerSocket() string { return i.Path("docker", "docker.sock") }

// Cgroup is the folder, in each cgroup hierarchy, above those of the instance's nodes.
func (i Instance) Cgroup() string { return "/agentstack-" + i.Name }

// SystemCgroup is that of the instance's own processes. No node has its name.
func (i Instance) SystemCgroup() string { return i.Cgroup() + "/system" }

// Path is a path in the instance's folder.
func (i Instance) Path(elem ...string) string {
	return filepath.Join(append([]string{i.Dir}, elem...)...)
}

// Namespaces are all network namespaces of the instance.
func (i Instance) Namespaces() []string {
	names := []string{i.RouterNamespace()}
	for _, r := range i.Regions() {
		names = append(names, r.ControlPlaneNamespace())
		for _, n := range r.Nodes {
			names = append(names, n.Namespace)
		}
	}
	return names
}

// Regions lays out the instance's regions. Each takes 32 of the 256 third octets: nodes, Services, then pods.
func (i Instance) Regions() []Region {
	regions := make([]Region, len(i.RegionNames))
	for n, name := range i.RegionNames {
		base := 32 * (n + 1)
		r := Region{
			Name: name, Dir: i.Path("regions", name), instance: i,
			ControlPlane: i.address(base, 10), Gateway: i.address(base, 1),
			NodeCIDR:          i.address(base, 0) + "/24",
			ServiceCIDR:       i.address(base+4, 0) + "/22",
			PodCIDR:           i.address(base+16, 0) + "/20",
			KubernetesService: i.address(base+4, 1), DNS: i.address(base+4, 10),
		}
		for k := range NodesPerRegion {
			r.Nodes = append(r.Nodes, i.node(r, base, k))
		}
		regions[n] = r
	}
	return regions
}

func (i Instance) node(r Region, base, k int) Node {
	name := r.Name + string(rune('a'+k))
	return Node{
		Name: name, Region: r.Name, Zone: name, Dir: filepath.Join(r.Dir, "nodes", name),
		Address: i.address(base, 11+k), PodCIDR: i.address(base+16+k, 0) + "/24",
		Namespace: i.namespace(name), Cgroup: i.Cgroup() + "/" + name,
	}
}

func (i Instance) address(third, fourth int) string {
	return fmt.Sprintf("10.%d.%d.%d", i.Octet, third, fourth)
}

func (i Instance) namespace(name string) string { return "as-" + i.Name + "-" + name }

// Instance is the instance that the region belongs to.
func (r Region) Instance() Instance { return r.instance }

// ControlPlaneNamespace is the network namespace of etcd and the control plane.
func (r Region) ControlPlaneNamespace() string { return r.instance.namespace(r.Name) }

// Bridge is the region's bridge, in the router's namespace.
func (r Region) Bridge() string { return "br-" + r.Name }

// Server is the URL of the API server.
func (r Region) Server() string { return "https://" + r.ControlPlane + ":6443" }

// Path is a path in the region's folder.
func (r Region) Path(elem ...string) string {
	return filepath.Join(append([]string{r.Dir}, elem...)...)
}

// Path is a path in the node's folder.
func (n Node) Path(elem ...string) string { return filepath.Join(append([]string{n.Dir}, elem...)...) }

// Link is the node's port on its region's bridge.
func (n Node) Link() string { return "v-" + n.Name }
