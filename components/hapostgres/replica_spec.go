package hapostgres

// Names of the two archives that a cluster knows, and so of the clusters that write them. They are the same in every
// region and for ever: what a cluster was bootstrapped from keeps its name when the regions change roles.
const (
	thisRegion = "this-region"
	// primaryRegion is this region's own archive as long as it is the primary one.
	primaryRegion = "primary-region"
)

// newReplicaSpec makes the cluster follow the primary region's, or lead. A change of the field primary is all that
// promotes or demotes it. https://cloudnative-pg.io/documentation/1.28/replica_cluster/#distributed-topology
func newReplicaSpec(args Args) *replicaSpec {
	if args.Store == nil {
		return nil
	}
	if args.Standby != nil {
		return &replicaSpec{Self: thisRegion, Primary: primaryRegion, Source: primaryRegion}
	}
	return &replicaSpec{
		Self:           thisRegion,
		Primary:        thisRegion,
		Source:         primaryRegion,
		PromotionToken: args.PromotionToken,
	}
}

func newExternalClusters(args Args) []externalCluster {
	if args.Store == nil {
		return nil
	}
	own := newBarmanSpec(*args.Store, args.Region, ownStoreSecret)
	primary := own
	if args.Standby != nil {
		primary = newBarmanSpec(args.Standby.Store, args.Standby.PrimaryRegion, primaryStoreSecret)
	}
	return []externalCluster{
		{Name: thisRegion, BarmanObjectStore: own},
		{Name: primaryRegion, BarmanObjectStore: primary},
	}
}

const createVector = "CREATE EXTENSION IF NOT EXISTS vector"

// newBootstrapSpec says how the first instance gets its data. It counts once: New ignores later changes.
func newBootstrapSpec(args Args) bootstrapSpec {
	secret := objectReference{Name: ownerSecret}
	if args.Standby != nil {
		return bootstrapSpec{Recovery: &recoverySpec{
			Source:   primaryRegion,
			Database: Database,
			Owner:    Database,
			Secret:   secret,
		}}
	}
	return bootstrapSpec{InitDB: &initDBSpec{
		Database: Database,
		Owner:    Database,
		Secret:   secret,
		// The second is for the databases that a restore makes: who restores may not create the extension.
		PostInitApplicationSQL: []string{createVector},
		PostInitTemplateSQL:    []string{createVector},
	}}
}
