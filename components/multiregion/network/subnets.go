package network

import (
	"encoding/binary"
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// zoneCount is the number of availability zones that a network spans.
const zoneCount = 3

// Limits of a network's range. The upper one is that of a VPC; below the lower one the private subnets would have
// fewer than 1,000 addresses, and each pod takes one.
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
const (
	largestRange  = 16
	smallestRange = 20
)

// subnets are the ranges of a network's subnets, one of each kind for each zone.
type subnets struct {
	public, private []netip.Prefix
}

// divide gives a quarter of a range to the private subnet of each zone, and of the last quarter a quarter to the public
// subnet of each zone: pods live in the private ones, in the public ones only gateways and load balancers.
func divide(whole netip.Prefix) subnets {
	var divided subnets
	for zone := range zoneCount {
		divided.private = append(divided.private, part(whole, whole.Bits()+2, zone))
		divided.public = append(divided.public, part(whole, whole.Bits()+4, zoneCount*4+zone))
	}
	return divided
}

// part returns one of the ranges with a prefix of the given length that make up whole.
func part(whole netip.Prefix, bits, index int) netip.Prefix {
	start := whole.Addr().As4()
	address := binary.BigEndian.Uint32(start[:]) + uint32(index)<<(32-bits)
	binary.BigEndian.PutUint32(start[:], address)
	return netip.PrefixFrom(netip.AddrFrom4(start), bits)
}

// ValidateCIDR reports a value that is not the range of a network.
func ValidateCIDR(path *field.Path, value string) field.ErrorList {
	parsed, err := netip.ParsePrefix(value)
	if err != nil || !parsed.Addr().Is4() || !parsed.Addr().IsPrivate() || parsed != parsed.Masked() ||
		parsed.Bits() < largestRange || parsed.Bits() > smallestRange {
		return field.ErrorList{field.Invalid(path, value,
			"must be a private range of IPv4 addresses from /16 to /20, such as 10.0.0.0/16")}
	}
	return nil
}
