package pulumi

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRenderDrawsEachResourceBelowItsParent(t *testing.T) {
	const (
		stack = "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s"
		east  = "urn:pulumi:s::p::test:index:Region::east"
		west  = "urn:pulumi:s::p::test:index:Region::west"
		vpc   = "urn:pulumi:s::p::test:index:Region$aws:ec2/vpc:Vpc::network"
	)
	got := render([]planned{
		{urn: stack, op: "create"},
		{urn: west, parent: stack, op: "create"},
		{urn: vpc, parent: east, op: "create"},
		{urn: east, parent: stack, op: "read"},
	})
	assert.Equal(t, `Type                  Name     Plan
pulumi:pulumi:Stack   p-s      create
├─ test:index:Region  east     read
│  └─ aws:ec2:Vpc     network  create
└─ test:index:Region  west     create
`, got)
}
