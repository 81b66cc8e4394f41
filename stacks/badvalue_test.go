package stacks

import (
	"strings"
	"testing"
)

func TestBadValueIsRefused(t *testing.T) {
	regions := func(names ...string) []any {
		var list []any
		for _, name := range names {
			list = append(list, map[string]any{"name": name, "kubeContext": "c"})
		}
		return list
	}
	providers := func(url string) []any {
		return []any{
			map[string]any{"name": "openai", "kind": "openai", "baseUrl": url},
			map[string]any{"name": "anthropic", "kind": "anthropic", "baseUrl": "https://api.anthropic.com"},
		}
	}
	tests := map[string]struct {
		stack string
		path  string
		value any
		want  string
	}{
		"unknown key": {
			"local", "postgress", map[string]any{},
			`postgress: Forbidden: unknown key; allowed here: api,`,
		},
		"unknown nested key": {
			"local", "postgres.storage.sice", "1Gi",
			`postgres.storage.sice: Forbidden: unknown key; allowed here: class, size, walSize`,
		},
		"string for number": {
			"local", "postgres.instances", "three",
			`postgres.instances: Invalid value: "three": must be a whole number`,
		},
		"fraction for number": {
			"local", "postgres.instances", 2.5,
			`postgres.instances: Invalid value: 2.5: must be a whole number`,
		},
		"zero": {
			"local", "postgres.instances", 0,
			`postgres.instances: Invalid value: 0: must not be zero`,
		},
		"number for string": {
			"local", "postgres.storage.size", 10,
			`postgres.storage.size: Invalid value: 10: must be a string`,
		},
		"empty string": {
			"local", "redis.maxMemory", "",
			`redis.maxMemory: Invalid value: "": must not be empty`,
		},
		"string for bool": {
			"staging", "models.mock", "yes",
			`models.mock: Invalid value: "yes": must be true or false`,
		},
		"object for list": {
			"local", "regions", map[string]any{},
			`regions: Invalid value: {}: must be a list`,
		},
		"list for object": {
			"local", "redis", []any{},
			`redis: Invalid value: []: must be an object`,
		},
		"string for list element": {
			"local", "regions", []any{"local-1"},
			`regions[0]: Invalid value: "local-1": must be an object`,
		},
		"number in string map": {
			"local", "postgres.parameters", map[string]any{"max_connections": 200},
			`postgres.parameters[max_connections]: Invalid value: 200: must be a string`,
		},
		"bad quantity": {
			"local", "postgres.storage.size", "10GB",
			`postgres.storage.size: Invalid value: "10GB": must be a Kubernetes quantity`,
		},
		"negative quantity": {
			"local", "api.resources.requests.cpu", "-1",
			`api.resources.requests.cpu: Invalid value: "-1": must be more than zero`,
		},
		"request above limit": {
			"local", "api.resources.requests.memory", "1Gi",
			`api.resources.requests.memory: Invalid value: "1Gi": must be at most the limit of 256Mi`,
		},
		"missing memory limit": {
			"local", "redis.resources.limits", nil,
			`redis.resources.limits.memory: Required value`,
		},
		"missing environment": {
			"local", "environment", nil,
			`environment: Required value: give one of ["local" "staging" "production"]`,
		},
		"unknown environment": {
			"local", "environment", "dev",
			`environment: Unsupported value: "dev": supported values: "local", "staging", "production"`,
		},
		"no regions": {"local", "regions", nil, `regions: Required value`},
		"region without context": {
			"local", "regions", []any{map[string]any{"name": "local-1"}},
			`regions[0].kubeContext: Required value`,
		},
		"region without name": {
			"local", "regions", []any{map[string]any{"kubeContext": "c"}},
			`regions[0].name: Required value`,
		},
		"region twice": {
			"local", "regions", regions("local-1", "local-1"),
			`regions[1].name: Duplicate value: "local-1"`,
		},
		"several regions without a cloud": {
			"local", "regions", regions("local-1", "local-2"),
			`regions: Too many: 2: must have at most 1 item`,
		},
		"no cluster": {
			"staging", "regions", []any{map[string]any{"name": "us-east-1"}},
			`regions[0].kubeContext: Required value`,
		},
		"two clusters": {
			"staging", "regions",
			[]any{map[string]any{"name": "us-east-1", "kubeContext": "c", "eks": map[string]any{}}},
			`regions[0].eks: Forbidden: must not be given together with kubeContext`,
		},
		"cluster in AWS without AWS": {
			"local", "regions", []any{map[string]any{"name": "local-1", "eks": map[string]any{}}},
			`regions[0].eks: Forbidden: needs aws`,
		},
		"bad network": {
			"staging", "regions",
			[]any{map[string]any{"name": "us-east-1", "eks": map[string]any{"cidr": "10.0.0.0/8"}}},
			`regions[0].eks.cidr: Invalid value: "10.0.0.0/8"`,
		},
		"missing AWS": {"staging", "aws", nil, `aws: Required value`},
		"AWS in a local environment": {
			"local", "aws", map[string]any{"domain": "api.example.com"},
			`aws: Forbidden: a local environment uses no cloud`,
		},
		"bad domain":  {"staging", "aws.domain", "api_example", `aws.domain: Invalid value: "api_example"`},
		"bad routing": {"staging", "aws.routing", "nearest", `aws.routing: Unsupported value: "nearest"`},
		"bad bucket":  {"staging", "aws.bucketPrefix", "Backups", `aws.bucketPrefix: Invalid value: "Backups"`},
		"repository beside that of AWS": {
			"staging", "image.repository", "registry.example.com/api",
			`image.repository: Forbidden: aws brings a registry`,
		},
		"object store beside that of AWS": {
			"staging", "objectStore.size", "1Gi",
			`objectStore: Forbidden: with aws, backups go to buckets there`,
		},
		"bad schedule":  {"staging", "backup.schedule", "nightly", `backup.schedule: Invalid value: "nightly"`},
		"bad retention": {"local", "monitoring.retention", "a week", `monitoring.retention: Invalid value: "a week"`},
		"bad local region": {
			"local", "regions", regions("local-1", "Local_2"),
			`regions[1].name: Invalid value: "Local_2"`,
		},
		"unknown cloud region": {
			"staging", "regions", regions("us-east-1", "us-esat-1"),
			`regions[1].name: Unsupported value: "us-esat-1": supported values: "af-south-1"`,
		},
		"primary region elsewhere": {
			"staging", "primaryRegion", "eu-west-1",
			`primaryRegion: Unsupported value: "eu-west-1": supported values: "us-east-1"`,
		},
		"missing primary region": {
			"staging", "primaryRegion", nil,
			`primaryRegion: Required value: give one of ["us-east-1"]`,
		},
		"missing repository": {
			"local", "image.repository", nil,
			`image.repository: Required value`,
		},
		"repository with tag": {
			"local", "image.repository", "registry.example.com/api:v1",
			`image.repository: Invalid value: "registry.example.com/api:v1"`,
		},
		"unknown build network": {
			"local", "image.buildNetwork", "bridge",
			`image.buildNetwork: Unsupported value: "bridge": supported values: "default", "host"`,
		},
		"one replica": {
			"local", "api.minReplicas", 1,
			`api.minReplicas: Invalid value: 1: must be at least 2`,
		},
		"fewer replicas at most than at least": {
			"local", "api.maxReplicas", 2,
			`api.maxReplicas: Invalid value: 2: must be at least minReplicas, which is 3`,
		},
		"more replicas than connections": {
			"local", "api.maxReplicas", 100,
			`api.maxReplicas: Invalid value: 100: must be at most 99`,
		},
		"too few connections for the replicas": {
			"staging", "postgres.pooler", map[string]any{"maxClients": 209},
			`postgres.pooler.maxClients: Invalid value: 209: must be at least 210`,
		},
		"unknown log level": {
			"local", "api.logLevel", "trace",
			`api.logLevel: Unsupported value: "trace"`,
		},
		"bad duration": {
			"local", "api.cacheTTL", "5 minutes",
			`api.cacheTTL: Invalid value: "5 minutes": must be a duration`,
		},
		"bad variable name": {
			"local", "api.env", map[string]any{"MY KEY": "v"},
			`api.env[MY KEY]: Invalid value: "MY KEY"`,
		},
		"reserved variable": {
			"local", "api.env", map[string]any{"DATABASE_URL": "v"},
			`api.env[DATABASE_URL]: Forbidden: set by the program itself`,
		},
		"bad node type": {
			"local", "api.nodeType", "a b",
			`api.nodeType: Invalid value: "a b"`,
		},
		"no host": {
			"local", "edge.host", nil,
			`edge.host: Required value: give the name that clients ask for`,
		},
		"bad host": {
			"local", "edge.host", "api_example",
			`edge.host: Invalid value: "api_example"`,
		},
		"host beside the domain": {
			"staging", "edge.host", "api.example.com",
			`edge.host: Forbidden: aws.domain is the name of the stack`,
		},
		"unknown issuer": {
			"local", "edge.issuer", "zerossl",
			`edge.issuer: Unsupported value: "zerossl": supported values: "local", "letsencrypt",`,
		},
		"issuer beside that of AWS": {
			"staging", "edge.issuer", "letsencrypt",
			`edge.issuer: Forbidden: with aws, clients see a certificate of ACM`,
		},
		"origin without a scheme": {
			"local", "edge.corsOrigins", []any{"https://a.example.com", "app.example.com"},
			`edge.corsOrigins[1]: Invalid value: "app.example.com": must be a scheme and a host`,
		},
		"any origin": {
			"local", "edge.corsOrigins", []any{"*"},
			`edge.corsOrigins[0]: Invalid value: "*"`,
		},
		"negative rate": {
			"local", "edge.rateLimit", -1,
			`edge.rateLimit: Invalid value: -1: must be at least 1 and at most 100000 requests a second`,
		},
		"more connections than memory": {
			"local", "edge.connectionLimit", 100000,
			`edge.connectionLimit: Invalid value: 100000: must be at least 1 and at most 4000`,
		},
		"more than all of the traffic for the canary": {
			"local", "api.canary.weight", 101,
			`api.canary.weight: Invalid value: 101: must be at least 1 and at most 50`,
		},
		"negative share of the canary": {
			"local", "api.canary.weight", -10,
			`api.canary.weight: Invalid value: -10`,
		},
		"negative instances": {
			"local", "postgres.instances", -1,
			`postgres.instances: Invalid value: -1: must be at least 1`,
		},
		"more confirmations": {
			"local", "postgres.synchronousReplicas", 3,
			`postgres.synchronousReplicas: Invalid value: 3: must be at least 0 and at most 2`,
		},
		"unknown durability": {
			"local", "postgres.dataDurability", "none",
			`postgres.dataDurability: Unsupported value: "none": supported values: "required", "preferred"`,
		},
		"two instances that both must confirm": {
			"local", "postgres.instances", 2,
			`postgres.synchronousReplicas: Invalid value: 1: must leave one of the 1 replicas that may be missing`,
		},
		"small volume": {
			"local", "postgres.storage.walSize", "500Mi",
			`postgres.storage.walSize: Invalid value: "500Mi": must be at least 1Gi`,
		},
		"parameters beyond the memory": {
			"local", "postgres.parameters", map[string]any{"work_mem": "64MB"},
			`postgres.parameters: Invalid value:`,
		},
		"recovery over itself": {
			"local", "postgres.recovery", map[string]any{"name": "ai-agent-db"},
			`postgres.recovery.name: Invalid value: "ai-agent-db": must be another name`,
		},
		"recovery without a name": {
			"local", "postgres.recovery", map[string]any{"serve": true},
			`postgres.recovery.name: Required value`,
		},
		"recovery to a name that Kubernetes refuses": {
			"local", "postgres.recovery", map[string]any{"name": "db 2"},
			`postgres.recovery.name: Invalid value: "db 2"`,
		},
		"recovery to no moment": {
			"local", "postgres.recovery", map[string]any{"name": "ai-agent-db-2", "targetTime": "yesterday"},
			`postgres.recovery.targetTime: Invalid value: "yesterday": must have the form of RFC 3339`,
		},
		"too many followers": {
			"local", "redis.followersPerLeader", 4,
			`redis.followersPerLeader: Invalid value: 4`,
		},
		"unknown eviction": {
			"local", "redis.evictionPolicy", "lru",
			`redis.evictionPolicy: Unsupported value: "lru"`,
		},
		"two leaders": {
			"local", "redis.leaders", 2,
			`redis.leaders: Invalid value: 2: must be at least 3`,
		},
		"memory over limit": {
			"local", "redis.maxMemory", "160Mi",
			`redis.maxMemory: Invalid value: "160Mi"`,
		},
		"number in text": {
			"staging", "models.catalog", []any{map[string]any{
				"name": "gpt-4o", "routes": []any{map[string]any{"provider": "openai"}}, "inputPrice": "2.50",
			}, map[string]any{
				"name": "text-embedding-3-small", "routes": []any{map[string]any{"provider": "openai"}},
			}},
			`models.catalog[0].inputPrice: Invalid value: "2.50": must be a number`,
		},
		"no models": {"staging", "models.catalog", nil, `models.catalog: Required value: give at least one model`},
		"the key of an earlier version": {
			"staging", "model", map[string]any{"baseUrl": "https://api.openai.com/v1"},
			`model: Forbidden: unknown key; allowed here: api,`,
		},
		"unknown key of models": {
			"staging", "models.urls", []any{},
			`models.urls: Forbidden: unknown key; allowed here: catalog, embeddingModel, mock, providers`,
		},
		"bad URL of a provider": {
			"staging", "models.providers", providers("api.openai.com/v1"),
			`models.providers[0].baseUrl: Invalid value: "api.openai.com/v1": give an absolute URL`,
		},
		"credentials in the URL of a provider": {
			"staging", "models.providers", providers("https://u:p@api.openai.com/v1"),
			`models.providers[0].baseUrl: Forbidden: must not contain credentials`,
		},
		"query in the URL of a provider": {
			"staging", "models.providers", providers("https://models.example.com/v1?a=b"),
			`models.providers[0].baseUrl: Invalid value: "https://models.example.com/v1?a=b": must not have a query`,
		},
		"embedding model that is none": {
			"staging", "models.embeddingModel", "ada",
			`models.embeddingModel: Unsupported value: "ada"`,
		},
		"models and mock": {
			"local", "models.embeddingModel", "ada",
			`models.mock: Forbidden: must not be given together with providers, catalog or embeddingModel`,
		},
		"mock in production": {
			"production", "models", map[string]any{"mock": true},
			`models.mock: Forbidden: production does not answer from a script`,
		},
		"user without password": {
			"local", "image.username", "ci",
			`agentstack:registryPassword: Required value`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := problems(t, edit(t, stackConfig(t, test.stack), test.path, test.value))
			if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
				t.Errorf("problems:\n%s\nwant only:\n%s", strings.Join(got, "\n"), test.want)
			}
		})
	}
}
