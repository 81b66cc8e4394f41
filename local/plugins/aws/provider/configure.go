package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/aws/catalog"
	"agentstack/local/plugins/property"
)

// config is what the simulation uses of the provider's configuration.
type config struct {
	region string
	tags   resource.PropertyMap // defaultTags.tags
}

// noCredentials begins as the official provider's message does.
const noCredentials = "no valid credential sources found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and " +
	"AWS_SECRET_ACCESS_KEY, or log in with `aws sso login` or by OIDC"

// CheckConfig refuses a configuration without a region or credentials, as the official provider does.
func (*Provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	properties, err := property.Decode(req.GetNews(), "provider inputs")
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.CheckResponse{Inputs: req.GetNews()}
	fail := func(name string, reason error) {
		response.Failures = append(response.Failures, &pulumirpc.CheckFailure{Property: name, Reason: reason.Error()})
	}
	if !property.OpenedMap(properties).ContainsUnknowns() {
		if _, err := parseConfig(properties); err != nil {
			fail("region", err)
		}
	}
	if !hasCredentials(properties) {
		fail("", errors.New(noCredentials))
	}
	return response, nil
}

// DiffConfig replaces what a provider manages when its region changes.
func (*Provider) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := property.Decode(req.GetOldInputs(), "old provider inputs")
	if err != nil {
		return nil, err
	}
	news, err := property.Decode(req.GetNews(), "new provider inputs")
	if err != nil {
		return nil, err
	}
	return diffResponse(olds, news, []string{"region"}), nil
}

// Configure keeps the configuration, and says that nothing here is AWS.
func (p *Provider) Configure(ctx context.Context, req *pulumirpc.ConfigureRequest) (
	*pulumirpc.ConfigureResponse, error,
) {
	properties, err := property.Decode(req.GetArgs(), "provider inputs")
	if err != nil {
		return nil, err
	}
	if !hasCredentials(properties) {
		return nil, errors.New(noCredentials)
	}
	if p.config, err = parseConfig(properties); err != nil {
		return nil, err
	}
	// A message that is lost must not fail an update.
	_ = p.host.Log(ctx, diag.Warning, resource.URN(req.GetUrn()),
		"this is a simulation of AWS in "+p.config.region+": nothing is made, and nothing here proves what AWS accepts")
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}, nil
}

func parseConfig(properties resource.PropertyMap) (config, error) {
	properties = property.OpenedMap(properties)
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = os.Getenv("AWS_DEFAULT_REGION")
	}
	if value := properties["region"]; value.IsString() && value.StringValue() != "" {
		region = value.StringValue()
	}
	if region == "" {
		return config{}, errors.New("missing region information: set aws:region, or the provider's region")
	}
	if reason := catalog.CheckRegion(region); reason != "" {
		return config{}, errors.New(reason)
	}
	tags, err := defaultTags(properties["defaultTags"])
	return config{region: region, tags: tags}, err
}

// defaultTags reads the tags of every resource; the engine hands objects over as JSON text.
func defaultTags(value resource.PropertyValue) (resource.PropertyMap, error) {
	if value.IsString() {
		var parsed any
		if err := json.Unmarshal([]byte(value.StringValue()), &parsed); err != nil {
			return nil, fmt.Errorf("read defaultTags: %w", err)
		}
		value = resource.NewPropertyValue(parsed)
	}
	if !value.IsObject() || !value.ObjectValue()["tags"].IsObject() {
		return resource.PropertyMap{}, nil
	}
	return value.ObjectValue()["tags"].ObjectValue(), nil
}

// hasCredentials reports whether the official provider would find credentials without asking the network.
func hasCredentials(properties resource.PropertyMap) bool {
	for _, key := range []resource.PropertyKey{"accessKey", "profile", "assumeRoleWithWebIdentity"} {
		if value, ok := properties[key]; ok && !value.IsNull() {
			return true
		}
	}
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	file := os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
	if home, err := os.UserHomeDir(); file == "" && err == nil {
		file = filepath.Join(home, ".aws", "credentials")
	}
	_, err := os.Stat(file)
	return err == nil
}
