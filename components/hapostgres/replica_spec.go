package hapostgres

// Names of the archives that a cluster knows, and so of the clusters that write them. They are the same in every region
// and for ever: the operator refuses a cluster without the one that it was bootstrapped from, also when the regions
// have changed roles, or when nothing else tells of a recovery any more.
const (
	thisRegion = "this-region"
	// primaryRegion is this region's own archive as long as it is the primary one.
	primaryRegion = "primary-region"
	// origin is the archive that the cluster is recovered from, and its own where there is none such.
	origin = "origin"
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
	own := args.archive(*args.Store, args.Region, args.Name, ownStoreSecret)
	primary, recovered := own, own
	if args.Standby != nil {
		primary = args.archive(args.Standby.Store, args.Standby.PrimaryRegion, args.Name, primaryStoreSecret)
	}
	if args.Recovery != nil {
		recovered = args.archive(*args.Store, args.Region, args.Recovery.From, ownStoreSecret)
	}
	return []externalCluster{
		{Name: thisRegion, BarmanObjectStore: own},
		{Name: primaryRegion, BarmanObjectStore: primary},
		{Name: origin, BarmanObjectStore: recovered},
	}
}

const createVector = "CREATE EXTENSION IF NOT EXISTS vector"

// newBootstrapSpec says how the first instance gets its data. It counts once: New ignores later changes.
func newBootstrapSpec(args Args) bootstrapSpec {
	switch {
	case args.Standby != nil:
		return bootstrapSpec{Recovery: newRecoverySpec(primaryRegion, "")}
	case args.Recovery != nil:
		return bootstrapSpec{Recovery: newRecoverySpec(origin, args.Recovery.TargetTime)}
	}
	return bootstrapSpec{InitDB: &initDBSpec{
		Database: Database,
		Owner:    Database,
		// The second is for the databases that a restore makes: who restores may not create the extension.
		PostInitApplicationSQL: []string{createVector},
		PostInitTemplateSQL:    []string{createVector},
	}}
}
