package apiservice

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
)

// Args configures the API of one region.
type Args struct {
	// Namespace is where the objects go. Required.
	Namespace string
	// Region is the value of the region label and of REGION. Required.
	Region string
	// Environment is the value of APP_ENV. Required.
	Environment string
	// Image is the image to run, by digest, such as the output of NewImage. Required.
	Image pulumi.StringInput
	// Standby says that the region's database takes no writes, so that there is nothing to migrate.
	Standby bool
	// Database is PostgreSQL. Required.
	Database kube.Database
	// Redis says how to reach the cache.
	Redis Redis
	// Models says which models there are. Required.
	Models Models
	// ProviderKeys are the keys of the providers, by their names. Those of OpenAI and Anthropic are required.
	ProviderKeys map[string]pulumi.StringInput
	// JWTKeys sign access tokens: several of at least 32 characters, separated by commas, of which the first signs.
	// Nil: generated once. A standby gets the primary region's, so that a token holds in every region.
	JWTKeys pulumi.StringInput
	// SignupToken is the bearer token with which tenants sign up; empty: nobody can. Nil: generated once. A standby
	// gets the primary region's.
	SignupToken pulumi.StringInput
	// Edge makes the API reachable from outside. Nil: only from inside the cluster.
	Edge *Edge

	Settings
}

// Redis is a Redis cluster as the API sees it.
type Redis struct {
	// Addresses are some nodes of the cluster, as host:port. Required.
	Addresses []string
	// Username of the account to use. Required.
	Username string
	// SecretName is a Secret of the namespace whose key "password" holds the account's password. Required.
	SecretName pulumi.StringInput
	// TLSSecretName is a Secret of the namespace whose key ca.crt has the authority that signed the nodes'
	// certificate. Empty: the nodes speak no TLS.
	TLSSecretName string
}

// Settings is the part of Args that a stack's configuration gives. A zero field stands for its default.
type Settings struct {
	// MinReplicas is how many pods run at least, 2 or more. Default 3.
	MinReplicas int `json:"minReplicas"`
	// MaxReplicas is how many pods run at most. In between CPU, memory and requests decide. Default 20.
	MaxReplicas int `json:"maxReplicas"`
	// Resources of each pod. Default 500m and 1Gi, at most 2 cores and 4Gi.
	Resources kube.Resources `json:"resources"`
	// LogLevel is debug, info, warn or error. Default info.
	LogLevel string `json:"logLevel"`
	// CacheTTL is how long an answer is served from the cache, a Go duration; 0s turns the cache off. Default 5m.
	CacheTTL string `json:"cacheTTL"`
	// NodeType lets the pods run on nodes with the taint node-type=<NodeType>:NoSchedule. Default: none.
	NodeType string `json:"nodeType"`
	// Env holds further environment variables, none of them secret.
	Env map[string]string `json:"env"`
	// Canary lets a new image prove itself on a part of the traffic. Default: off.
	Canary Canary `json:"canary"`
	// RecommendResources makes a VerticalPodAutoscaler that says what the pods would best request, and changes nothing.
	// It needs that kind's definition and recommender in the cluster. Default: off.
	RecommendResources bool `json:"recommendResources"`
}

const (
	// connectionsPerPod is the size of the pool that the application keeps, maxConns in app/internal/postgres.
	connectionsPerPod = 10
	// mostReplicas is as many as one pod of the database's pool has connections for by default, while it is the only
	// one and the API is rolled out.
	mostReplicas = 1000/connectionsPerPod - surge
)

var logLevels = []string{"debug", "info", "warn", "error"}

func (s Settings) withDefaults() Settings {
	if s.MinReplicas == 0 {
		s.MinReplicas = 3
	}
	if s.MaxReplicas == 0 {
		s.MaxReplicas = 20
	}
	s.Resources = s.Resources.Default(kube.Resources{
		Requests: kube.ResourceList{CPU: "500m", Memory: "1Gi"},
		Limits:   kube.ResourceList{CPU: "2", Memory: "4Gi"},
	})
	if s.LogLevel == "" {
		s.LogLevel = "info"
	}
	if s.CacheTTL == "" {
		s.CacheTTL = "5m"
	}
	s.Canary = s.Canary.withDefaults()
	return s
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	required := func(path *field.Path, given bool, detail string) {
		if !given {
			problems = append(problems, field.Required(path, detail))
		}
	}
	required(path.Child("namespace"), a.Namespace != "", "give the namespace of the API")
	required(path.Child("region"), a.Region != "", "give the name of the region")
	required(path.Child("environment"), a.Environment != "", "give the name of the environment")
	required(path.Child("image"), a.Image != nil, "give the image to run, by digest")
	problems = append(problems, a.Database.Validate(path.Child("database"))...)
	required(path.Child("redis", "addresses"), len(a.Redis.Addresses) > 0, "give at least one node as host:port")
	required(path.Child("redis", "username"), a.Redis.Username != "", "give the name of the account")
	required(path.Child("redis", "secretName"), a.Redis.SecretName != nil, "give the Secret with the password")
	required(path.Child("jwtKeys"), a.JWTKeys != nil || !a.Standby, "give those of the primary region")
	required(path.Child("signupToken"), a.SignupToken != nil || !a.Standby, "give that of the primary region")
	if a.Edge != nil {
		problems = append(problems, a.Edge.validate(path.Child("edge"))...)
	}
	problems = append(problems, a.Models.Validate(path.Child("models"))...)
	problems = append(problems, a.Models.ValidateKeys(path.Child("providerKeys"), a.ProviderKeys)...)
	return append(problems, a.Settings.Validate(path)...)
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s Settings) Validate(path *field.Path) field.ErrorList {
	s = s.withDefaults()
	problems := s.Resources.Validate(path.Child("resources"))
	problems = append(problems, s.validateReplicas(path)...)
	if !slices.Contains(logLevels, s.LogLevel) {
		problems = append(problems, field.NotSupported(path.Child("logLevel"), s.LogLevel, logLevels))
	}
	if ttl, err := time.ParseDuration(s.CacheTTL); err != nil || ttl != 0 && ttl < time.Second {
		problems = append(problems, field.Invalid(path.Child("cacheTTL"), s.CacheTTL,
			"must be a duration of at least a second, such as 30s, 5m or 1h, or 0s"))
	}
	for _, detail := range validation.IsValidLabelValue(s.NodeType) {
		problems = append(problems, field.Invalid(path.Child("nodeType"), s.NodeType, detail))
	}
	problems = append(problems, s.Canary.Validate(path.Child("canary"))...)
	return append(problems, validateEnv(path.Child("env"), s.Env)...)
}

func (s Settings) validateReplicas(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if s.MinReplicas < 2 {
		problems = append(problems, field.Invalid(path.Child("minReplicas"), s.MinReplicas,
			"must be at least 2, so that one pod can leave its node while another answers"))
	}
	switch at := path.Child("maxReplicas"); {
	case s.MaxReplicas > mostReplicas:
		problems = append(problems, field.Invalid(at, s.MaxReplicas, fmt.Sprintf("must be at most %d: each pod keeps "+
			"up to %d connections to the database's pool", mostReplicas, connectionsPerPod)))
	case s.MaxReplicas < s.MinReplicas:
		problems = append(problems, field.Invalid(at, s.MaxReplicas,
			fmt.Sprintf("must be at least minReplicas, which is %d", s.MinReplicas)))
	}
	return problems
}

// Connections is how many connections to the database's pool all pods together keep at most, valid settings provided.
func (s Settings) Connections() int {
	s = s.withDefaults()
	pods := s.MaxReplicas + surge
	if s.Canary.Enabled {
		pods += s.canaryReplicas() + surge
	}
	return pods * connectionsPerPod
}

func validateEnv(path *field.Path, env map[string]string) field.ErrorList {
	problems := field.ErrorList{}
	for _, name := range sortedKeys(env) {
		for _, detail := range validation.IsEnvVarName(name) {
			problems = append(problems, field.Invalid(path.Key(name), name, detail))
		}
		switch {
		case slices.Contains(reservedEnv, name):
			problems = append(problems, field.Forbidden(path.Key(name), "set by the program itself"))
		case strings.HasSuffix(name, keySuffix):
			problems = append(problems, field.Forbidden(path.Key(name), "must not be in plain text: use providerKeys"))
		}
	}
	return problems
}
