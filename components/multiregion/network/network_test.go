package network

import (
	"net/netip"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestDivide(t *testing.T) {
	tests := map[string]struct {
		whole           string
		private, public []string
	}{
		"largest": {
			"10.0.0.0/16",
			[]string{"10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18"},
			[]string{"10.0.192.0/20", "10.0.208.0/20", "10.0.224.0/20"},
		},
		"smallest": {
			"192.168.240.0/20",
			[]string{"192.168.240.0/22", "192.168.244.0/22", "192.168.248.0/22"},
			[]string{"192.168.252.0/24", "192.168.253.0/24", "192.168.254.0/24"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			divided := divide(netip.MustParsePrefix(test.whole))
			if got := texts(divided.private); !slices.Equal(got, test.private) {
				t.Errorf("private = %v, want %v", got, test.private)
			}
			if got := texts(divided.public); !slices.Equal(got, test.public) {
				t.Errorf("public = %v, want %v", got, test.public)
			}
		})
	}
}

func texts(ranges []netip.Prefix) []string {
	var all []string
	for _, r := range ranges {
		all = append(all, r.String())
	}
	return all
}

func TestSubnetsDoNotOverlap(t *testing.T) {
	for bits := largestRange; bits <= smallestRange; bits++ {
		whole := netip.PrefixFrom(netip.MustParseAddr("10.64.0.0"), bits)
		divided := divide(whole)
		all := append(divided.private, divided.public...)
		for i, one := range all {
			if !whole.Contains(one.Addr()) || one.Bits() <= whole.Bits() {
				t.Errorf("%v is not within %v", one, whole)
			}
			for _, other := range all[i+1:] {
				if one.Overlaps(other) {
					t.Errorf("of %v, %v overlaps %v", whole, one, other)
				}
			}
		}
	}
}

func TestValidateCIDR(t *testing.T) {
	tests := map[string]struct {
		value string
		good  bool
	}{
		"default":        {"10.0.0.0/16", true},
		"smallest":       {"172.16.16.0/20", true},
		"too large":      {"10.0.0.0/15", false},
		"too small":      {"10.0.0.0/21", false},
		"public":         {"8.8.0.0/16", false},
		"address in it":  {"10.0.0.1/16", false},
		"IPv6":           {"fd00::/16", false},
		"without length": {"10.0.0.0", false},
		"empty":          {"", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if problems := ValidateCIDR(field.NewPath("cidr"), test.value); len(problems) == 0 != test.good {
				t.Errorf("problems of %q = %v", test.value, problems)
			}
		})
	}
}
