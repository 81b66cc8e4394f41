package catalog

// ecr are registries of images.
var ecr = table{
	"aws:ecr/repository:Repository": {
		ID: "${name}", AutoName: "name", Tagged: true, Replaces: []string{"name", "encryptionConfigurations"},
		Rules: map[string]Rule{"name": repository, "imageTagMutability": tagMutable},
		Outputs: map[string]any{
			"arn": arn("ecr", "repository/${name}"), "registryId": "${account}",
			"repositoryUrl": "${account}.dkr.ecr.${region}.amazonaws.com/${name}", "imageTagMutability": "MUTABLE",
		},
	},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy": {
		ID: "${repository}", Required: []string{"policy", "repository"}, Replaces: []string{"policy", "repository"},
		Rules:   map[string]Rule{"policy": holds("rules"), "repository": repository},
		Outputs: map[string]any{"registryId": "${account}"},
	},
	"aws:ecr/repositoryPolicy:RepositoryPolicy": {
		ID: "${repository}", Required: []string{"policy", "repository"}, Replaces: []string{"repository"},
		Rules: map[string]Rule{
			// A repository's policy is about the repository: it names no resource.
			"policy": trustPolicy, "repository": repository,
		},
		Outputs: map[string]any{"registryId": "${account}"},
	},
	"aws:ecr/replicationConfiguration:ReplicationConfiguration": {
		ID: "${account}",
		Rules: map[string]Rule{"replicationConfiguration": field("rules",
			each(field("destinations", each(field("region", regionName)))))},
		Outputs: map[string]any{"registryId": "${account}"},
	},
	"aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate": {
		ID: "${prefix}", Required: []string{"appliedFors", "prefix"}, Replaces: []string{"prefix"},
		Rules: map[string]Rule{
			"appliedFors": each(oneOf("REPLICATION", "PULL_THROUGH_CACHE")), "imageTagMutability": tagMutable,
			"customRoleArn": roleARN, "lifecyclePolicy": holds("rules"), "repositoryPolicy": trustPolicy,
		},
		Outputs: map[string]any{"registryId": "${account}"},
	},
}
