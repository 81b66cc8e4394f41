package apiservice_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

func validArgs() apiservice.Args {
	return apiservice.Args{
		Namespace:   "ai-agent",
		Region:      "eu-west-1",
		Environment: "staging",
		Image:       pulumi.String("registry.example.com/ai-agent-api@" + pulumitest.Digest),
		Database: kube.Database{
			SecretName:   pulumi.String("ai-agent-db-app"),
			CASecretName: "ai-agent-db-ca",
			Pods:         map[string]string{"cnpg.io/cluster": "ai-agent-db"},
		},
		Redis: apiservice.Redis{
			Addresses:  []string{"redis-0:6379", "redis-1:6379"},
			Username:   "ai-agent",
			SecretName: pulumi.String("ai-agent-redis"),
		},
		Models: apiservice.Models{
			Providers: []apiservice.Provider{
				{Name: "open-ai", Kind: apiservice.KindOpenAI, BaseURL: "https://api.openai.com/v1"},
				{Name: "anthropic", Kind: apiservice.KindAnthropic, BaseURL: "https://api.anthropic.com", Retries: 1},
				{Name: "own", Kind: apiservice.KindOpenAI, BaseURL: "http://10.1.2.3:8080/v1", Timeout: "30s"},
			},
			Catalog: []apiservice.Model{
				{
					Name:       "gpt-4o",
					Routes:     []apiservice.Route{{Provider: "open-ai"}, {Provider: "anthropic", Model: "claude"}},
					InputPrice: 2.5, OutputPrice: 10,
				},
				{Name: "text-*", Routes: []apiservice.Route{{Provider: "own"}}, ContextTokens: 8192},
			},
			EmbeddingModel: "text-embedding-3-small",
		},
		ProviderKeys: map[string]pulumi.StringInput{
			"open-ai": pulumi.String("sk-secret"), "anthropic": pulumi.String("sk-ant-secret"),
		},
		Settings: apiservice.Settings{
			NodeType: "ai-agent",
			Env:      map[string]string{"FEATURE": "on"},
		},
	}
}

func register(args apiservice.Args) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		_, err := apiservice.New(ctx, "ai-agent-api-eu-west-1", args)
		return err
	}
}

func TestRegisteredObjects(t *testing.T) {
	pulumitest.Up(t, register(validArgs())).Golden(t, "up")
	pulumitest.Preview(t, register(validArgs())).Golden(t, "preview")
}

func standbyArgs() apiservice.Args {
	args := validArgs()
	args.Standby = true
	args.JWTKeys, args.SignupToken = pulumi.String("jwt-secret"), pulumi.String("signup-secret")
	return args
}

func edgeArgs() apiservice.Args {
	args := validArgs()
	args.Edge = &apiservice.Edge{
		Hosts:        []string{"api.example.com"},
		EdgeSettings: apiservice.EdgeSettings{CORSOrigins: []string{"https://app.example.com"}},
	}
	return args
}

func balancedArgs() apiservice.Args {
	args := edgeArgs()
	args.Edge.Hosts = []string{"api.example.com", "eu-west-1.api.example.com"}
	args.Edge.CertificateARN = pulumi.String("arn:aws:acm:eu-west-1:123456789012:certificate/0")
	return args
}

func TestStandby(t *testing.T) {
	recording := pulumitest.Up(t, register(standbyArgs()))
	recording.Golden(t, "standby")
	if jobs := recording.OfType("kubernetes:batch/v1:Job"); len(jobs) > 0 {
		t.Errorf("a region whose database takes no writes migrates it: %s", jobs[0].Name)
	}
}

func TestUnknownImageInPreview(t *testing.T) {
	recording := pulumitest.Preview(t, func(ctx *pulumi.Context) error {
		image, err := newImage(ctx)
		if err != nil {
			return err
		}
		args := validArgs()
		args.Image = image
		_, err = apiservice.New(ctx, "api", args)
		return err
	})
	deployment := recording.Find(t, "kubernetes:apps/v1:Deployment", "api")
	if !containsUnknown(deployment.Inputs) {
		t.Error("the Deployment does not depend on the image, which preview does not know yet")
	}
}

func containsUnknown(value any) bool {
	switch node := value.(type) {
	case map[string]any:
		for _, child := range node {
			if containsUnknown(child) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(node, containsUnknown)
	}
	return value == pulumitest.Unknown
}

func TestBadArgumentsRegisterNothing(t *testing.T) {
	tests := map[string]struct {
		damage func(*apiservice.Args)
		want   []string
	}{
		"nothing given": {func(a *apiservice.Args) { *a = apiservice.Args{} }, []string{
			"namespace: Required", "region: Required", "environment: Required", "image: Required",
			"database.secretName: Required", "redis.addresses: Required", "redis.username: Required",
			"redis.secretName: Required", "models.providers: Required", "models.catalog: Required",
		}},
		"several settings": {func(a *apiservice.Args) {
			a.MinReplicas, a.MaxReplicas, a.LogLevel, a.CacheTTL = 1, 500, "loud", "-5m"
			a.Resources = kube.Resources{Requests: kube.ResourceList{CPU: "lots", Memory: "1Gi"}}
		}, []string{
			`resources.requests.cpu: Invalid value: "lots"`, "resources.limits.memory: Required",
			"minReplicas: Invalid value: 1", "maxReplicas: Invalid value: 500: must be at most 99",
			`logLevel: Unsupported value: "loud"`, `cacheTTL: Invalid value: "-5m"`,
		}},
		"at most fewer than at least": {func(a *apiservice.Args) { a.MinReplicas, a.MaxReplicas = 6, 5 }, []string{
			"maxReplicas: Invalid value: 5: must be at least minReplicas, which is 6",
		}},
		"at least more than the default at most": {func(a *apiservice.Args) { a.MinReplicas = 21 }, []string{
			"maxReplicas: Invalid value: 20: must be at least minReplicas, which is 21",
		}},
		"negative": {func(a *apiservice.Args) { a.MinReplicas, a.MaxReplicas = -2, -1 }, []string{
			"minReplicas: Invalid value: -2",
		}},
		"more CPU requested than allowed": {func(a *apiservice.Args) {
			a.Resources.Requests = kube.ResourceList{CPU: "3", Memory: "1Gi"}
			a.Resources.Limits = kube.ResourceList{CPU: "2", Memory: "1Gi"}
		}, []string{`resources.requests.cpu: Invalid value: "3": must be at most the limit of 2`}},
		"edge without hosts": {func(a *apiservice.Args) { a.Edge = &apiservice.Edge{} }, []string{
			"edge.hosts: Required",
		}},
		"several of the edge": {func(a *apiservice.Args) {
			*a = balancedArgs()
			a.Edge.Hosts = []string{"API!", "api.example.com", "api.example.com", ""}
			a.Edge.EdgeSettings = apiservice.EdgeSettings{
				Issuer: "zerossl", RateLimit: -1, ConnectionLimit: 4001,
				CORSOrigins: []string{"app.example.com", "https://*.example.com", "https://a.example.com/"},
			}
		}, []string{
			`edge.hosts[0]: Invalid value: "API!"`, `edge.hosts[2]: Duplicate value: "api.example.com"`,
			"edge.hosts[3]: Required", `edge.issuer: Unsupported value: "zerossl"`,
			"edge.issuer: Forbidden: clients see the certificate of the load balancer",
			`edge.corsOrigins[0]: Invalid value: "app.example.com"`,
			`edge.corsOrigins[1]: Invalid value: "https://*.example.com"`,
			`edge.corsOrigins[2]: Invalid value: "https://a.example.com/"`,
			"edge.rateLimit: Invalid value: -1", "edge.connectionLimit: Invalid value: 4001: must be at least 1",
		}},
		"secret in plain environment": {func(a *apiservice.Args) {
			a.Env["JWT_KEYS"], a.Env["OWN_API_KEY"] = "a", "b"
		}, []string{
			"env[JWT_KEYS]: Forbidden: set by", "env[OWN_API_KEY]: Forbidden: must not be in plain text",
		}},
		"standby with credentials of its own": {func(a *apiservice.Args) { a.Standby = true }, []string{
			"jwtKeys: Required", "signupToken: Required",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := validArgs()
			test.damage(&args)
			recording, err := pulumitest.Run(register(args), false)
			if err == nil {
				t.Fatal("bad arguments were accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not contain %q:\n%v", want, err)
				}
			}
			if len(recording.Resources) > 0 {
				t.Errorf("registered %v", recording.References())
			}
		})
	}
}

func TestProbes(t *testing.T) {
	container := apiContainer(t)
	for probe, want := range map[string]string{
		"livenessProbe": "/livez", "startupProbe": "/livez", "readinessProbe": "/ready",
	} {
		if got := container.At(probe, "httpGet", "path"); got != want {
			t.Errorf("%s asks for %v, want %s", probe, got, want)
		}
	}
}

func TestNoSecretInPlainText(t *testing.T) {
	recording := pulumitest.Up(t, register(validArgs()))
	for _, config := range recording.OfType("kubernetes:core/v1:ConfigMap") {
		data, _ := config.At("data").(map[string]any)
		for _, key := range []string{
			"DATABASE_URL", "REDIS_PASSWORD", "JWT_KEYS", "SIGNUP_TOKEN", "OPEN_AI_API_KEY",
		} {
			if _, found := data[key]; found {
				t.Errorf("ConfigMap %s holds %s", config.Name, key)
			}
		}
	}
	env, _ := apiContainer(t).At("env").([]any)
	if len(env) == 0 {
		t.Fatal("the container has no variables from Secrets")
	}
	for i := range env {
		if value := apiContainer(t).At("env", i, "value"); value != nil {
			t.Errorf("variable %v has a plain value", apiContainer(t).At("env", i, "name"))
		}
	}
}

// TestNoWaitContainer guards against init containers that wait for dependencies: the API starts without
// them.
func TestNoWaitContainer(t *testing.T) {
	for _, workload := range workloads(t) {
		if got := workload.At("spec", "template", "spec", "initContainers"); got != nil {
			t.Errorf("%s has init containers: %v", workload.Type, got)
		}
	}
}

func TestServiceAccountsExistAndHaveNoToken(t *testing.T) {
	recording := pulumitest.Up(t, register(validArgs()))
	accounts := map[any]bool{}
	for _, account := range recording.OfType("kubernetes:core/v1:ServiceAccount") {
		accounts[account.At("metadata", "name")] = true
		if account.At("automountServiceAccountToken") != false {
			t.Errorf("ServiceAccount %s mounts its token", account.Name)
		}
	}
	for _, workload := range workloads(t) {
		account := workload.At("spec", "template", "spec", "serviceAccountName")
		if !accounts[account] {
			t.Errorf("%s runs as ServiceAccount %v, which is not defined", workload.Type, account)
		}
		if workload.At("spec", "template", "spec", "automountServiceAccountToken") != false {
			t.Errorf("the pods of %s mount a token", workload.Type)
		}
	}
}

func TestShutdownFitsIntoGracePeriod(t *testing.T) {
	recording := pulumitest.Up(t, register(validArgs()))
	config := recording.OfType("kubernetes:core/v1:ConfigMap")[0]
	seconds := 0.0
	for _, key := range []string{"SHUTDOWN_DELAY", "SHUTDOWN_TIMEOUT"} {
		text, _ := config.At("data", key).(string)
		duration, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		seconds += duration.Seconds()
	}
	deployment := recording.OfType("kubernetes:apps/v1:Deployment")[0]
	grace, _ := deployment.At("spec", "template", "spec", "terminationGracePeriodSeconds").(float64)
	if seconds >= grace {
		t.Errorf("shutdown takes up to %v s, the grace period is %v s", seconds, grace)
	}
}

func TestMigrationGatesTheRollout(t *testing.T) {
	recording := pulumitest.Up(t, register(validArgs()))
	job := recording.OfType("kubernetes:batch/v1:Job")[0]
	deployment := recording.OfType("kubernetes:apps/v1:Deployment")[0]
	if !slices.Contains(deployment.DependsOn, job.Type+" "+job.Name) {
		t.Errorf("the Deployment depends on %v, not on the migration", deployment.DependsOn)
	}
	image := func(workload pulumitest.Resource) any {
		return workload.At("spec", "template", "spec", "containers", 0, "image")
	}
	if image(job) != image(deployment) {
		t.Errorf("the migration runs %v, the API %v", image(job), image(deployment))
	}
	// A fixed name would make a new image delete the old Job first; a time to live would look like drift.
	if job.At("metadata", "name") != nil || job.At("spec", "ttlSecondsAfterFinished") != nil {
		t.Error("the Job has a fixed name or a time to live")
	}
}

func TestChangedImageMigratesAgain(t *testing.T) {
	args := validArgs()
	args.Image = pulumi.String("registry.example.com/ai-agent-api@sha256:" + strings.Repeat("1", 64))
	changed := pulumitest.Changed(pulumitest.Up(t, register(validArgs())), pulumitest.Up(t, register(args)))
	want := []string{
		"kubernetes:apps/v1:Deployment ai-agent-api-eu-west-1",
		"kubernetes:batch/v1:Job ai-agent-api-eu-west-1-migrate",
	}
	if !slices.Equal(changed, want) {
		t.Errorf("changed %q, want %q", changed, want)
	}
}

func TestTolerationOnlyWhenConfigured(t *testing.T) {
	path := []any{"spec", "template", "spec", "tolerations", 0, "value"}
	args := validArgs()
	if got := deploymentOf(t, args).At(path...); got != "ai-agent" {
		t.Errorf("toleration = %v, want ai-agent", got)
	}
	args.NodeType = ""
	if got := deploymentOf(t, args).At(path...); got != nil {
		t.Errorf("toleration = %v, want none", got)
	}
}

func deploymentOf(t *testing.T, args apiservice.Args) pulumitest.Resource {
	t.Helper()
	return pulumitest.Up(t, register(args)).OfType("kubernetes:apps/v1:Deployment")[0]
}

func workloads(t *testing.T) []pulumitest.Resource {
	t.Helper()
	recording := pulumitest.Up(t, register(validArgs()))
	return append(recording.OfType("kubernetes:apps/v1:Deployment"), recording.OfType("kubernetes:batch/v1:Job")...)
}

func apiContainer(t *testing.T) pulumitest.Resource {
	t.Helper()
	inputs, _ := deploymentOf(t, validArgs()).At("spec", "template", "spec", "containers", 0).(map[string]any)
	return pulumitest.Resource{Inputs: inputs}
}
