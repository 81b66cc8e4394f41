package topology

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func free(string) (bool, error) { return false, nil }

func TestRegionsDoNotOverlap(t *testing.T) {
	names := []string{"r1", "r2", "r3", "r4", "r5", "r6"}
	i := Instance{Name: "dev", Octet: 200, RegionNames: names}
	if err := i.Validate(); err != nil {
		t.Fatal(err)
	}
	whole := netip.MustParsePrefix(i.CIDR())
	seen := []netip.Prefix{netip.MustParsePrefix(i.HostAddress() + "/24")}
	for _, r := range i.Regions() {
		for _, cidr := range []string{r.NodeCIDR, r.ServiceCIDR, r.PodCIDR} {
			p := netip.MustParsePrefix(cidr)
			if p != p.Masked() || !whole.Overlaps(p) {
				t.Errorf("%s: %s is not a range inside %s", r.Name, p, whole)
			}
			for _, other := range seen {
				if other.Overlaps(p) {
					t.Errorf("%s: %s overlaps %s", r.Name, p, other)
				}
			}
			seen = append(seen, p)
		}
		for _, n := range r.Nodes {
			if !netip.MustParsePrefix(r.PodCIDR).Overlaps(netip.MustParsePrefix(n.PodCIDR)) {
				t.Errorf("%s: pods %s are outside %s", n.Name, n.PodCIDR, r.PodCIDR)
			}
			if !netip.MustParsePrefix(r.NodeCIDR).Contains(netip.MustParseAddr(n.Address)) {
				t.Errorf("%s: %s is outside %s", n.Name, n.Address, r.NodeCIDR)
			}
		}
	}
}

func TestInterfaceNamesFitTheKernel(t *testing.T) {
	i := Instance{Name: "abcdefghij", RegionNames: []string{"abcdefghi-k"}}
	if err := i.Validate(); err != nil {
		t.Fatal(err)
	}
	r := i.Regions()[0]
	for _, name := range []string{i.HostLink(), r.Bridge(), r.Nodes[0].Link()} {
		if len(name) > 15 {
			t.Errorf("%q has %d characters", name, len(name))
		}
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	err := Instance{Name: "No", RegionNames: []string{"ok", "ok", "-bad"}}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"instance:", "regions[1]:", "regions[2]:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestInstancesGetDifferentRanges(t *testing.T) {
	root := t.TempDir()
	inUse := func(cidr string) (bool, error) { return cidr == "10.201.0.0/16", nil }
	first, err := LoadOrCreate(root, "dev", []string{"local-1"}, inUse)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadOrCreate(root, "e2e", []string{"local-1"}, inUse)
	if err != nil {
		t.Fatal(err)
	}
	if first.Octet != 200 || second.Octet != 202 {
		t.Errorf("got 10.%d and 10.%d, want 10.200 and 10.202", first.Octet, second.Octet)
	}
	again, err := LoadOrCreate(root, "dev", []string{"local-1"}, inUse)
	if err != nil || again.Octet != first.Octet {
		t.Errorf("second load gave %+v, %v", again, err)
	}
}

func TestRegionsCanOnlyBeAdded(t *testing.T) {
	root := t.TempDir()
	if _, err := LoadOrCreate(root, "dev", []string{"local-1"}, free); err != nil {
		t.Fatal(err)
	}
	grown, err := LoadOrCreate(root, "dev", []string{"local-1", "local-2"}, free)
	if err != nil || len(grown.Regions()) != 2 {
		t.Fatalf("add a region: %+v, %v", grown, err)
	}
	if _, err := LoadOrCreate(root, "dev", []string{"local-2"}, free); err == nil {
		t.Error("a region was dropped without an error")
	}
}

func TestLoadRefusesABrokenFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(filepath.Dir(dir), filepath.Base(dir), []string{"local-1"}, free); err == nil {
		t.Error("a broken file was replaced silently")
	}
}
