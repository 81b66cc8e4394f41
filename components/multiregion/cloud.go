package multiregion

import (
	"agentstack/components/multiregion/backups"
	"agentstack/components/multiregion/dns"
	"agentstack/components/multiregion/eks"
	"agentstack/components/multiregion/internal/cloud"
	"agentstack/components/multiregion/registry"
	"agentstack/internal/kube"
)

// production is the environment whose buckets Pulumi does not delete.
const production = "production"

// newCloud registers what the regions have in common in AWS.
func (s *stack) newCloud() error {
	images, err := registry.New(s.ctx, s.name+"-registry", s.registryArgs(), s.parent)
	if err != nil {
		return err
	}
	s.shared = Shared{Repository: images.Repository, Username: images.Username, Password: images.Password}
	if _, err := backups.New(s.ctx, s.name+"-backups", s.backupsArgs(), s.parent); err != nil {
		return err
	}
	certificates, err := dns.NewCertificates(s.ctx, s.name+"-certificates", s.dnsArgs(), s.parent)
	if err != nil {
		return err
	}
	s.certificates = certificates.ARNs
	return nil
}

// newRecords registers the records that lead to the load balancers.
func (s *stack) newRecords() error {
	_, err := dns.NewRecords(s.ctx, s.name+"-dns", dns.RecordsArgs{
		Args:      s.dnsArgs(),
		Routing:   s.args.AWS.withDefaults().Routing,
		Hostnames: s.hostnames,
	}, s.parent)
	return err
}

func (s *stack) registryArgs() registry.Args {
	args := registry.Args{Environment: s.args.AWS.Environment, AccountID: s.args.AWS.AccountID}
	for _, region := range s.args.primaryFirst() {
		args.Regions = append(args.Regions, registry.Region{Name: region.Name, Provider: region.AWS})
	}
	return args
}

func (s *stack) backupsArgs() backups.Args {
	args := backups.Args{
		Prefix:      s.args.AWS.BucketPrefix,
		Environment: s.args.AWS.Environment,
		AccountID:   s.args.AWS.AccountID,
		Protect:     s.args.AWS.Environment == production,
	}
	for _, region := range s.args.primaryFirst() {
		args.Regions = append(args.Regions, backups.Region{Name: region.Name, Provider: region.AWS})
	}
	return args
}

func (s *stack) dnsArgs() dns.Args {
	args := dns.Args{Domain: s.args.AWS.Domain, ZoneID: s.args.AWS.ZoneID, Environment: s.args.AWS.Environment}
	for _, region := range s.args.primaryFirst() {
		args.Regions = append(args.Regions, dns.Region{Name: region.Name, Provider: region.AWS})
	}
	return args
}

func (s *stack) scope(region string) cloud.Scope {
	return cloud.Scope{Environment: s.args.AWS.Environment, Region: region}
}

// target describes a region to Args.Deploy.
func (s *stack) target(region string) Target {
	target := Target{Region: region, Primary: region == s.args.Primary, primary: s.args.Primary}
	if s.args.AWS == nil {
		return target
	}
	store := func(region string) *kube.ObjectStore {
		return &kube.ObjectStore{Region: region, Bucket: backups.BucketName(s.args.AWS.BucketPrefix, region)}
	}
	target.Store, target.PrimaryStore = store(region), store(s.args.Primary)
	target.CertificateARN = s.certificates[region]
	target.Host, target.RegionHost = s.args.AWS.Domain, dns.RegionName(region, s.args.AWS.Domain)
	return target
}

// identities give the pods of a region their folders of the region's bucket. Databases also read the archive of the
// primary region, which they follow.
func (s *stack) identities(region string) []eks.Identity {
	scope, prefix := s.scope(region), s.args.AWS.BucketPrefix
	own := backups.BucketName(prefix, region)
	archives := append(backups.Write(scope, own, backups.FolderDatabase+"/"+region),
		backups.Read(scope, own, backups.FolderDatabase)...)
	if region != s.args.Primary {
		primary := backups.BucketName(prefix, s.args.Primary)
		archives = append(archives, backups.Read(scope, primary, backups.FolderDatabase)...)
	}
	identities := []eks.Identity{
		{
			Name: "backup", Namespace: "ai-agent", ServiceAccount: "ai-agent-backup",
			Permissions: backups.Write(scope, own, backups.FolderLogical),
		},
		{
			Name: "logs", Namespace: "monitoring", ServiceAccount: "loki",
			Permissions: backups.Write(scope, own, backups.FolderLogs),
		},
	}
	for _, database := range s.args.AWS.Databases {
		identities = append(identities, eks.Identity{
			Name: database, Namespace: "ai-agent", ServiceAccount: database, Permissions: archives,
		})
	}
	return identities
}
