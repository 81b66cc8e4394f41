package catalog

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type values = map[string]any

var computed = resource.MakeComputed(resource.NewStringProperty(""))

const (
	vpcType         = "aws:ec2/vpc:Vpc"
	bucketType      = "aws:s3/bucketV2:BucketV2"
	roleType        = "aws:iam/role:Role"
	policyType      = "aws:iam/policy:Policy"
	clusterType     = "aws:eks/cluster:Cluster"
	nodesType       = "aws:eks/nodeGroup:NodeGroup"
	recordType      = "aws:route53/record:Record"
	healthType      = "aws:route53/healthCheck:HealthCheck"
	replicationType = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
	attachmentType  = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
	lifecycleType   = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
	logsType        = "aws:cloudwatch/logGroup:LogGroup"

	identity = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
		`"Principal":{"Service":"pods.eks.amazonaws.com"}}]}`
	someRole = "arn:aws:iam::123456789012:role/x"
)

func TestCheck(t *testing.T) {
	record := values{"zoneId": "Z1", "name": "a.example.com", "type": "A"}
	with := func(base values, more values) values {
		all := values{}
		for _, from := range []values{base, more} {
			for key, value := range from {
				all[key] = value
			}
		}
		return all
	}
	cluster := values{"roleArn": someRole, "vpcConfig": values{"subnetIds": []any{"subnet-1", "subnet-2"}}}
	nodes := values{"clusterName": "c", "nodeRoleArn": someRole, "subnetIds": computed}
	subnets := func(ids any) values { return values{"vpcConfig": values{"subnetIds": ids}} }
	failover := values{"aliases": computed, "failoverRoutingPolicies": computed}
	alone := values{"aliases": computed, "setIdentifier": "a"}
	replication := values{"bucket": "a-bucket", "role": someRole}
	cases := map[string]struct {
		token  string
		inputs values
		want   string // what the problems say, empty for none
	}{
		"network":              {vpcType, values{"cidrBlock": "10.0.0.0/16"}, ""},
		"network with bits":    {vpcType, values{"cidrBlock": "10.0.0.1/16"}, "address is 10.0.0.0/16"},
		"network too big":      {vpcType, values{"cidrBlock": "10.0.0.0/8"}, "from /16 to /28"},
		"no network":           {vpcType, values{"cidrBlock": "10.0.0.0"}, "no IPv4 network"},
		"unknown network":      {vpcType, values{"cidrBlock": computed}, ""},
		"missing input":        {"aws:ec2/subnet:Subnet", values{}, "vpcId is required"},
		"unknown is given":     {"aws:ec2/subnet:Subnet", values{"vpcId": computed}, ""},
		"reserved tag":         {vpcType, values{"tags": values{"aws:x": "y"}}, "prefix aws:"},
		"long tag":             {vpcType, values{"tags": values{"x": strings.Repeat("y", 257)}}, "256"},
		"unknown tag":          {vpcType, values{"tags": values{"x": computed}}, ""},
		"bucket":               {bucketType, values{"bucket": "agentstack-backups-us-east-1"}, ""},
		"bucket upper case":    {bucketType, values{"bucket": "Backups"}, "lower-case"},
		"bucket short":         {bucketType, values{"bucket": "ab"}, "3 to 63"},
		"bucket is an address": {bucketType, values{"bucket": "10.0.0.1"}, "no IP address"},
		"bucket reserved":      {bucketType, values{"bucket": "xn--bucket"}, "to itself"},
		"trust policy":         {roleType, values{"assumeRolePolicy": trust}, ""},
		"trust without principal": {
			roleType, values{"assumeRolePolicy": identity}, "Statement[0] has no Principal",
		},
		"identity policy": {policyType, values{"policy": identity}, ""},
		"policy for nobody": {
			policyType, values{"policy": trust}, "has a Principal",
		},
		"policy is no JSON":       {policyType, values{"policy": "{"}, "no JSON policy document"},
		"policy without a date":   {policyType, values{"policy": `{"Statement":[]}`}, "want 2012-10-17"},
		"policy of nothing":       {policyType, values{"policy": `{"Version":"2012-10-17"}`}, "no Statement"},
		"attachment to an ARN":    {attachmentType, values{"role": someRole, "policyArn": someRole}, "not its ARN"},
		"cluster":                 {clusterType, cluster, ""},
		"cluster version":         {clusterType, with(cluster, values{"version": "v1.34"}), "version"},
		"cluster in one subnet":   {clusterType, with(cluster, subnets([]any{"s"})), "vpcConfig .subnetIds"},
		"cluster in unknown":      {clusterType, with(cluster, subnets(computed)), ""},
		"node group":              {nodesType, with(nodes, sizes(3, 3, 6)), ""},
		"node group upside down":  {nodesType, with(nodes, sizes(3, 2, 6)), "minSize <= desiredSize"},
		"record":                  {recordType, with(record, values{"records": computed, "ttl": 60}), ""},
		"record without ttl":      {recordType, with(record, values{"records": computed}), "ttl is required"},
		"record of nothing":       {recordType, record, "records or another one of"},
		"alias with ttl":          {recordType, with(record, values{"aliases": computed, "ttl": 60}), "ttl cannot"},
		"failover without set":    {recordType, with(record, failover), "setIdentifier is required"},
		"set without failover":    {recordType, with(record, alone), "needs a routing policy"},
		"health check":            {healthType, values{"type": "HTTPS", "fqdn": computed, "requestInterval": 10}, ""},
		"health check type":       {healthType, values{"type": "PING", "fqdn": "a.bc.de"}, "one of HTTP"},
		"health check of nothing": {healthType, values{"type": "TCP"}, "fqdn or ipAddress"},
		"interval":                {healthType, values{"type": "TCP", "fqdn": computed, "requestInterval": 5}, "10 or"},
		"key window":              {"aws:kms/key:Key", values{"deletionWindowInDays": 3}, "from 7 to 30"},
		"log days":                {logsType, values{"name": "x", "retentionInDays": 31}, "among the days"},
		"replication to a name": {replicationType, with(replication, values{"rules": []any{
			values{"status": "Enabled", "destination": values{"bucket": "name"}},
		}}), "rules [0].destination.bucket"},
		"replication to an unknown": {replicationType, with(replication, values{"rules": []any{
			values{"status": "Enabled", "destination": values{"bucket": computed}},
		}}), ""},
		"lifecycle without rules": {lifecycleType, values{"repository": "a", "policy": "{}"}, `no "rules"`},
		"route to nowhere":        {"aws:ec2/route:Route", values{"routeTableId": computed}, "gatewayId or another"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			described, err := Find(c.token)
			require.NoError(t, err)
			var problems []string
			for _, problem := range described.Check(resource.NewPropertyMapFromMap(c.inputs)) {
				problems = append(problems, problem.Property+" "+problem.Reason)
			}
			if c.want == "" {
				assert.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			assert.Contains(t, problems[0], c.want)
		})
	}
}

func sizes(least, desired, most int) values {
	return values{"scalingConfig": values{"minSize": least, "desiredSize": desired, "maxSize": most}}
}

// TestTemplatesHaveNoHoles fills each template in for a resource that has every required input.
func TestTemplatesHaveNoHoles(t *testing.T) {
	hole := regexp.MustCompile(`::::|//|/$|^:|:$|\$\{`)
	for _, tok := range Tokens() {
		t.Run(tok, func(t *testing.T) {
			described, err := Find(tok)
			require.NoError(t, err)
			r := &Resource{URN: "urn:pulumi:s::p::" + resource.URN(tok) + "::x", Region: "eu-west-1"}
			inputs := values{}
			for _, name := range append(described.Required, described.AutoName) {
				inputs[name] = "given-" + name
			}
			r.Inputs = resource.NewPropertyMapFromMap(inputs)
			id, ok := r.Expand(described.ID).(string)
			require.True(t, ok, "the ID is a text")
			assert.NotEmpty(t, id)
			assert.NotRegexp(t, hole, strings.ReplaceAll(id, "://", ""))
			r.ID = id
			if template, ok := described.Outputs["arn"]; ok {
				assert.Regexp(t, `^(arn:aws:[a-z0-9]+:(eu-west-1)?:(123456789012)?:|given-)\S+$`, r.Expand(template))
			}
		})
	}
}

func TestCertificateHasARecordForEachName(t *testing.T) {
	described, err := Find("aws:acm/certificate:Certificate")
	require.NoError(t, err)
	r := &Resource{Region: "eu-west-1", Inputs: resource.NewPropertyMapFromMap(values{
		"domainName": "api.example.com", "subjectAlternativeNames": []any{"*.example.com", "api.example.com"},
	})}
	options, ok := r.Expand(described.Outputs["domainValidationOptions"]).([]any)
	require.True(t, ok)
	require.Len(t, options, 2)
	assert.Equal(t, "*.example.com", options[1].(values)["domainName"])
	assert.Regexp(t, `^_[0-9a-f]{17}\.example\.com\.$`, options[1].(values)["resourceRecordName"])
}

func TestZoneIDs(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "use1-az1", "eu-west-1": "euw1-az1", "ap-southeast-2": "apse2-az1", "us-gov-west-1": "usgw1-az1",
	} {
		assert.Equal(t, want, ZoneID(region, "a"))
	}
}
