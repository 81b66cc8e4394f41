package catalog

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// regionName is the rule of a region.
var regionName = matches(`[a-z]{2}(-[a-z]+)+-\d`, "a region such as us-east-1")

// CheckRegion says what is wrong with a region's name, or nothing.
func CheckRegion(region string) string { return regionName(resource.NewStringProperty(region)) }

// ZoneID is the account-independent name of a zone: us-east-1a has use1-az1.
func ZoneID(region, letter string) string {
	parts := strings.Split(region, "-")
	short := parts[0]
	for _, part := range parts[1 : len(parts)-1] {
		for _, direction := range []string{"north", "south", "east", "west", "central", "gov"} {
			if strings.Contains(part, direction) {
				short += direction[:1]
			}
		}
	}
	return fmt.Sprintf("%s%s-az%d", short, parts[len(parts)-1], letter[0]-'a'+1)
}

// regionalZone is the hosted zone that AWS keeps for a service of the resource's region. The simulation's are made up.
func regionalZone(service string) func(*Resource) any {
	return func(r *Resource) any { return RegionalZone(service, r.Region) }
}

// RegionalZone is the made-up hosted zone of a service in a region.
func RegionalZone(service, region string) string {
	sum := sha256.Sum256([]byte(service + " " + region))
	return "Z" + strings.ToUpper(new(big.Int).SetBytes(sum[:]).Text(36)[:13])
}
