package dns

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/multiregion/internal/cloud"
)

const certificatesTypeToken = "agentstack:components:Certificates"

// validationTTL of the records that prove who owns the domain, in seconds.
const validationTTL = 300

// Certificates are those of the load balancers.
type Certificates struct {
	pulumi.ResourceState

	// ARNs of the certificates, by region, known when they are issued.
	ARNs map[string]pulumi.StringOutput
}

// NewCertificates registers a certificate in each region, for the domain and the region's own name, and waits until
// they are issued. They are renewed as long as the records are there. Bad arguments register nothing.
func NewCertificates(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption,
) (*Certificates, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	made := &Certificates{ARNs: map[string]pulumi.StringOutput{}}
	if err := ctx.RegisterComponentResource(certificatesTypeToken, name, made, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	i := issuer{ctx: ctx, name: name, args: args, parent: pulumi.Parent(made)}
	arns := pulumi.Map{}
	for _, region := range args.Regions {
		arn, err := i.issue(region)
		if err != nil {
			return nil, err
		}
		made.ARNs[region.Name], arns[region.Name] = arn, arn
	}
	if err := ctx.RegisterResourceOutputs(made, pulumi.Map{"arns": arns}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return made, nil
}

type issuer struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOption
	// shared proves who owns the domain. In one account it is the same record for the certificates of all regions.
	shared *route53.Record
}

func (i *issuer) issue(region Region) (pulumi.StringOutput, error) {
	name, own := i.name+"-"+region.Name, RegionName(region.Name, i.args.Domain)
	in := pulumi.Provider(region.Provider)
	certificate, err := acm.NewCertificate(i.ctx, name, &acm.CertificateArgs{
		DomainName:              pulumi.String(i.args.Domain),
		SubjectAlternativeNames: pulumi.ToStringArray([]string{own}),
		ValidationMethod:        pulumi.String("DNS"),
		Tags:                    cloud.Scope{Environment: i.args.Environment, Region: region.Name}.Named(own),
	}, i.parent, in)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("register certificate %s: %w", name, err)
	}
	if i.shared == nil {
		if i.shared, err = i.prove(i.name+"-domain", certificate, i.args.Domain); err != nil {
			return pulumi.StringOutput{}, err
		}
	}
	proof, err := i.prove(name, certificate, own)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	validation, err := acm.NewCertificateValidation(i.ctx, name, &acm.CertificateValidationArgs{
		CertificateArn:        certificate.Arn,
		ValidationRecordFqdns: pulumi.StringArray{i.shared.Fqdn, proof.Fqdn},
	}, i.parent, in)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("register validation of certificate %s: %w", name, err)
	}
	return validation.CertificateArn, nil
}

// prove registers the record by which the certificate's authority sees that a domain belongs to the account.
func (i *issuer) prove(name string, certificate *acm.Certificate, domain string) (*route53.Record, error) {
	option := validationOption(certificate, domain)
	proof, err := route53.NewRecord(i.ctx, name, &route53.RecordArgs{
		ZoneId:  pulumi.String(i.args.ZoneID),
		Name:    option.ResourceRecordName().Elem(),
		Type:    option.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{option.ResourceRecordValue().Elem()},
		Ttl:     pulumi.Int(validationTTL),
	}, i.parent, pulumi.Provider(i.args.Regions[0].Provider))
	if err != nil {
		return nil, fmt.Errorf("register validation record %s: %w", name, err)
	}
	return proof, nil
}

// validationOption returns what proves one of the names of a certificate. AWS lists them in any order.
func validationOption(certificate *acm.Certificate, domain string) acm.CertificateDomainValidationOptionOutput {
	found := certificate.DomainValidationOptions.ApplyT(
		func(options []acm.CertificateDomainValidationOption) (acm.CertificateDomainValidationOption, error) {
			for _, option := range options {
				if option.DomainName != nil && *option.DomainName == domain {
					return option, nil
				}
			}
			return acm.CertificateDomainValidationOption{}, fmt.Errorf("certificate has no validation of %s", domain)
		})
	return found.(acm.CertificateDomainValidationOptionOutput)
}
