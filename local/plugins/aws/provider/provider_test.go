package provider

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	vpc      = "aws:ec2/vpc:Vpc"
	bucket   = "aws:s3/bucketV2:BucketV2"
	role     = "aws:iam/role:Role"
	template = "aws:ec2/launchTemplate:LaunchTemplate"
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
		`"Principal":{"Service":"eks.amazonaws.com"}}]}`
)

func TestConfigurationNeedsRegionAndCredentials(t *testing.T) {
	clear := func(t *testing.T) {
		for _, name := range []string{
			"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION", "AWS_DEFAULT_REGION",
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
			"AWS_SHARED_CREDENTIALS_FILE",
		} {
			t.Setenv(name, "")
		}
		t.Setenv("HOME", t.TempDir())
	}
	cases := map[string]struct {
		inputs properties
		env    [2]string
		want   string
	}{
		"nothing wrong":       {properties{"region": "eu-west-1"}, [2]string{"AWS_PROFILE", "me"}, ""},
		"keys given":          {properties{"region": "eu-west-1", "accessKey": "x"}, [2]string{"AWS_REGION"}, ""},
		"region of the shell": {properties{"profile": "x"}, [2]string{"AWS_REGION", "eu-west-1"}, ""},
		"unknown region": {
			properties{"region": unknown, "profile": "x"}, [2]string{"AWS_REGION"}, "",
		},
		"no credentials": {
			properties{"region": "eu-west-1"}, [2]string{"AWS_PROFILE"}, "no valid credential sources found",
		},
		"no region":    {properties{}, [2]string{"AWS_PROFILE", "me"}, "missing region"},
		"wrong region": {properties{"region": "virginia"}, [2]string{"AWS_PROFILE", "me"}, `"virginia" is given`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			clear(t)
			t.Setenv(c.env[0], c.env[1])
			e := engine{t, New(&screen{}), nil}
			response, err := e.provider.CheckConfig(t.Context(), &pulumirpc.CheckRequest{News: e.packed(c.inputs)})
			require.NoError(t, err)
			if c.want == "" {
				assert.Empty(t, response.GetFailures())
				return
			}
			require.Len(t, response.GetFailures(), 1)
			assert.Contains(t, response.GetFailures()[0].GetReason(), c.want)
			_, err = e.provider.Configure(t.Context(), &pulumirpc.ConfigureRequest{Args: e.packed(c.inputs)})
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestItSaysThatItIsASimulation(t *testing.T) {
	e := configured(t)
	require.Len(t, e.screen.lines, 1)
	assert.Contains(t, e.screen.lines[0], "simulation of AWS in us-east-1")
}

func TestPreviewLeavesUnknownWhatOnlyAWSKnows(t *testing.T) {
	e := configured(t)
	made, state := e.create(vpc, "main", properties{
		"cidrBlock": unknown, "enableDnsHostnames": true, "tags": properties{"Name": unknown},
	}, true)
	assert.Empty(t, made.id)
	assert.True(t, state["arn"].IsComputed())
	assert.True(t, state["mainRouteTableId"].IsComputed())
	assert.True(t, state["cidrBlock"].IsComputed())
	assert.True(t, state["enableDnsHostnames"].BoolValue())
	all := state["tagsAll"].ObjectValue()
	assert.Equal(t, "agentstack", all["Project"].StringValue())
	assert.True(t, all["Name"].IsComputed())
}

func TestCreateAnswersInTheShapesOfAWS(t *testing.T) {
	e := configured(t)
	made, state := e.create(vpc, "main", properties{"cidrBlock": "10.0.0.0/16"}, false)
	assert.Regexp(t, `^vpc-[0-9a-f]{17}$`, made.id)
	assert.Equal(t, "arn:aws:ec2:us-east-1:123456789012:vpc/"+made.id, state["arn"].StringValue())
	again, _ := e.create(vpc, "main", properties{"cidrBlock": "10.0.0.0/16"}, false)
	other, _ := e.create(vpc, "main", properties{"cidrBlock": "10.1.0.0/16"}, false)
	assert.Equal(t, made.id, again.id, "the same inputs give the same ID")
	assert.NotEqual(t, made.id, other.id, "a replacement has another ID")
}

func TestUnnamedResourcesGetANameAndKeepIt(t *testing.T) {
	e := configured(t)
	made, state := e.create(role, "nodes", properties{"assumeRolePolicy": trust}, false)
	assert.Regexp(t, `^nodes-[0-9a-f]{7}$`, made.id)
	assert.Equal(t, "arn:aws:iam::123456789012:role/"+made.id, state["arn"].StringValue())
	response, err := e.provider.Check(t.Context(), &pulumirpc.CheckRequest{
		Urn: made.urn, Olds: made.inputs, News: e.packed(properties{"assumeRolePolicy": trust, "description": "x"}),
	})
	require.NoError(t, err)
	assert.Equal(t, made.id, e.unpacked(response.GetInputs())["name"].StringValue())
}

func TestSecretsStaySecret(t *testing.T) {
	e := configured(t)
	_, state := e.create(template, "nodes", properties{
		"userData": resource.MakeSecret(resource.NewStringProperty("aGVsbG8=")),
	}, false)
	assert.True(t, state["userData"].IsSecret())
}

func TestUpdateKeepsWhatAWSChose(t *testing.T) {
	e := configured(t)
	made, before := e.create(template, "nodes", properties{"instanceType": "m7i.large"}, false)
	for _, preview := range []bool{true, false} {
		response, err := e.provider.Update(t.Context(), &pulumirpc.UpdateRequest{
			Id: made.id, Urn: made.urn, Olds: made.state, OldInputs: made.inputs, Preview: preview,
			News: e.packed(properties{"name": before["name"].StringValue(), "instanceType": "m7i.xlarge"}),
		})
		require.NoError(t, err)
		after := e.unpacked(response.GetProperties())
		assert.Equal(t, before["arn"], after["arn"])
		assert.Equal(t, "m7i.xlarge", after["instanceType"].StringValue())
		if preview {
			assert.True(t, after["latestVersion"].IsComputed())
		} else {
			assert.InDelta(t, 2, after["latestVersion"].NumberValue(), 0)
		}
	}
}

func TestDiff(t *testing.T) {
	cases := map[string]struct {
		token       string
		olds, news  properties
		replaces    []string
		changes     pulumirpc.DiffResponse_DiffChanges
		deleteFirst bool
	}{
		"nothing": {
			vpc, properties{"cidrBlock": "10.0.0.0/16"}, properties{"cidrBlock": "10.0.0.0/16"}, nil,
			pulumirpc.DiffResponse_DIFF_NONE, false,
		},
		"in place": {
			vpc, properties{"cidrBlock": "10.0.0.0/16"},
			properties{"cidrBlock": "10.0.0.0/16", "tags": properties{"a": "b"}}, nil,
			pulumirpc.DiffResponse_DIFF_SOME, false,
		},
		"replaced": {
			vpc, properties{"cidrBlock": "10.0.0.0/16"}, properties{"cidrBlock": "10.1.0.0/16"},
			[]string{"cidrBlock"}, pulumirpc.DiffResponse_DIFF_SOME, false,
		},
		"another name": {
			bucket, properties{"bucket": "one-bucket"}, properties{"bucket": "two-bucket"},
			[]string{"bucket"}, pulumirpc.DiffResponse_DIFF_SOME, false,
		},
		"the same name twice": {
			bucket, properties{"bucket": "one-bucket"},
			properties{"bucket": "one-bucket", "objectLockEnabled": true},
			[]string{"objectLockEnabled"}, pulumirpc.DiffResponse_DIFF_SOME, true,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := configured(t)
			made, _ := e.create(c.token, "x", c.olds, false)
			got := e.diff(made, e.check(c.token, "x", c.news).GetInputs())
			assert.Equal(t, c.changes, got.GetChanges())
			assert.Equal(t, c.replaces, got.GetReplaces())
			assert.Equal(t, c.deleteFirst, got.GetDeleteBeforeReplace())
			for _, key := range c.replaces {
				assert.Contains(t, got.GetDetailedDiff()[key].GetKind().String(), "REPLACE")
			}
		})
	}
}

func TestUnknownTypesNameTheTable(t *testing.T) {
	e := configured(t)
	_, err := e.provider.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urnOf("aws:sqs/queue:Queue", "x")})
	require.ErrorContains(t, err, "aws:sqs/queue:Queue: add it to the table in local/plugins/aws/catalog")
	_, err = e.provider.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: "aws:ssm/getParameter:getParameter"})
	require.ErrorContains(t, err, "aws:ssm/getParameter:getParameter: add it to functions.go")
}

func TestReadReturnsTheStateAndRefusesImports(t *testing.T) {
	e := configured(t)
	made, _ := e.create(vpc, "main", properties{"cidrBlock": "10.0.0.0/16"}, false)
	read, err := e.provider.Read(t.Context(), &pulumirpc.ReadRequest{
		Id: made.id, Urn: made.urn, Properties: made.state, Inputs: made.inputs,
	})
	require.NoError(t, err)
	assert.Equal(t, made.id, read.GetId())
	assert.Equal(t, made.state, read.GetProperties())
	_, err = e.provider.Read(t.Context(), &pulumirpc.ReadRequest{Id: "vpc-1", Urn: made.urn})
	assert.ErrorContains(t, err, "use the official plugin")
}

func TestInvoke(t *testing.T) {
	e := configured(t)
	call := func(token string, args properties) resource.PropertyMap {
		response, err := e.provider.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: token, Args: e.packed(args)})
		require.NoError(t, err)
		require.Empty(t, response.GetFailures())
		return e.unpacked(response.GetReturn())
	}
	identity := call("aws:index/getCallerIdentity:getCallerIdentity", nil)
	assert.Equal(t, "123456789012", identity["accountId"].StringValue())
	zones := call("aws:index/getAvailabilityZones:getAvailabilityZones", properties{
		"state": "available", "excludeZoneIds": []any{"use1-az3"},
	})
	assert.Equal(t, []any{"us-east-1a", "us-east-1b", "us-east-1d"}, zones["names"].Mappable())
	assert.Equal(t, "available", zones["state"].StringValue())
	token := call("aws:ecr/getAuthorizationToken:getAuthorizationToken", nil)
	assert.True(t, token["password"].IsSecret())
	assert.Equal(t, "AWS", token["userName"].StringValue())
	here, there := call("aws:lb/getHostedZoneId:getHostedZoneId", nil),
		call("aws:lb/getHostedZoneId:getHostedZoneId", properties{"region": "eu-west-1"})
	assert.Regexp(t, "^Z[A-Z0-9]{13}$", here["id"].StringValue())
	assert.NotEqual(t, here["id"], there["id"])
}
