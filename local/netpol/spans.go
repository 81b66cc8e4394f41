package netpol

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// span is a range of IPv4 addresses or of ports, both ends included.
type span struct{ first, last uint32 }

// spans are sorted, and neither overlap nor touch: the kernel refuses intervals that do.
type spans []span

func newSpans(all ...span) spans {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	var merged spans
	for _, s := range all {
		last := len(merged) - 1
		if last >= 0 && uint64(s.first) <= uint64(merged[last].last)+1 {
			merged[last].last = max(merged[last].last, s.last)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// without returns what of the spans is outside of a hole.
func (all spans) without(hole span) spans {
	var left spans
	for _, s := range all {
		if s.last < hole.first || s.first > hole.last {
			left = append(left, s)
			continue
		}
		if s.first < hole.first {
			left = append(left, span{s.first, hole.first - 1})
		}
		if s.last > hole.last {
			left = append(left, span{hole.last + 1, s.last})
		}
	}
	return left
}

// addresses writes the spans as nft writes a set of addresses, and ports as it writes one of ports.
func (all spans) addresses() string {
	return all.set(func(n uint32) string { return address(n).String() })
}

func (all spans) ports() string { return all.set(func(n uint32) string { return fmt.Sprint(n) }) }

func (all spans) set(format func(uint32) string) string {
	var text string
	for i, s := range all {
		if i > 0 {
			text += ", "
		}
		text += format(s.first)
		if s.last != s.first {
			text += "-" + format(s.last)
		}
	}
	return "{ " + text + " }"
}

func address(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

func number(a netip.Addr) uint32 {
	bytes := a.As4()
	return binary.BigEndian.Uint32(bytes[:])
}

// block returns the IPv4 addresses of a block. A block of IPv6 has none: no pod has an address in that family.
func block(b *networkingv1.IPBlock) (spans, error) {
	whole, err := network(b.CIDR)
	left := newSpans(whole...)
	errs := []error{err}
	for _, except := range b.Except {
		holes, err := network(except)
		errs = append(errs, err)
		for _, hole := range holes {
			left = left.without(hole)
		}
	}
	return left, errors.Join(errs...)
}

func network(cidr string) ([]span, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("parse address range: %w", err)
	}
	if !prefix.Addr().Is4() {
		return nil, nil
	}
	first := number(prefix.Masked().Addr())
	return []span{{first, first | ^uint32(0)>>prefix.Bits()}}, nil
}
