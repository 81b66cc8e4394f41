package apiservice

import (
	"strconv"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"agentstack/internal/kube"
)

// reservedEnv lists the environment variables that Settings.Env must not contain: the program sets them.
var reservedEnv = append(sortedKeys(environment(Args{Settings: Settings{}.withDefaults()})),
	"DATABASE_URL", "REDIS_PASSWORD", redisCAVariable, jwtKeysVariable, signupTokenVariable)

const redisCAVariable = "REDIS_CA_FILE"

func configMapArgs(args Args) *corev1.ConfigMapArgs {
	return &corev1.ConfigMapArgs{
		Metadata:  metadata(args, "").Args(),
		Immutable: pulumi.Bool(true),
		Data:      kube.StringMap(kube.Merge(args.Env, environment(args))),
	}
}

// environment returns the environment variables of the API that are not secret.
func environment(args Args) map[string]string {
	env := map[string]string{
		"APP_ENV":          args.Environment,
		"REGION":           args.Region,
		"LISTEN_ADDR":      ":8000",
		"LOG_LEVEL":        args.LogLevel,
		"CACHE_TTL":        args.CacheTTL,
		"REDIS_ADDRS":      strings.Join(args.Redis.Addresses, ","),
		"REDIS_USERNAME":   args.Redis.Username,
		"MODELS":           args.Models.document(),
		"GOMEMLIMIT":       memoryLimit(args.Resources.Limits.Memory),
		"SHUTDOWN_DELAY":   shutdownDelay.String(),
		"SHUTDOWN_TIMEOUT": shutdownTimeout.String(),
	}
	if args.Redis.TLSSecretName != "" {
		env[redisCAVariable] = redisCAPath + "/" + kube.CAFile
	}
	return env
}

// memoryLimit is the memory, in bytes, at which Go collects garbage more often. It leaves a tenth of the container's
// limit to what Go does not count.
func memoryLimit(limit string) string {
	quantity := resource.MustParse(limit)
	return strconv.FormatInt(quantity.Value()/10*9, 10)
}
