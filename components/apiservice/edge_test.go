package apiservice_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
)

const (
	gatewayAPI  = "kubernetes:gateway.networking.k8s.io/v1:"
	envoyAPI    = "kubernetes:gateway.envoyproxy.io/v1alpha1:"
	issuerType  = "kubernetes:cert-manager.io/v1:Issuer"
	certManager = "kubernetes:cert-manager.io/v1:Certificate"
	name        = "ai-agent-api-eu-west-1"
)

func TestEdge(t *testing.T) {
	pulumitest.Up(t, register(edgeArgs())).Golden(t, "edge")
	pulumitest.Preview(t, register(edgeArgs())).Golden(t, "edge-preview")
	pulumitest.Up(t, register(balancedArgs())).Golden(t, "edge-balanced")
	if found := pulumitest.Up(t, register(validArgs())).OfType(gatewayAPI + "Gateway"); len(found) > 0 {
		t.Errorf("without an edge in the arguments there is %s", found[0].Name)
	}
}

// TestNothingIsOpenBeforeItIsClosed looks what comes after what.
func TestNothingIsOpenBeforeItIsClosed(t *testing.T) {
	recording := pulumitest.Up(t, register(edgeArgs()))
	for resource, before := range map[string][]string{
		gatewayAPI + "Gateway " + name: {
			secretType + " " + name + "-tls", envoyAPI + "EnvoyProxy " + name + "-edge",
		},
		gatewayAPI + "HTTPRoute " + name: {
			gatewayAPI + "HTTPRoute " + name + "-refused", envoyAPI + "BackendTrafficPolicy " + name,
			envoyAPI + "ClientTrafficPolicy " + name + "-edge", envoyAPI + "SecurityPolicy " + name + "-edge",
		},
		gatewayAPI + "HTTPRoute " + name + "-ws": {
			gatewayAPI + "HTTPRoute " + name + "-refused", envoyAPI + "BackendTrafficPolicy " + name + "-ws",
		},
		gatewayAPI + "HTTPRoute " + name + "-refused": {
			envoyAPI + "HTTPRouteFilter " + name + "-not-found", envoyAPI + "HTTPRouteFilter " + name + "-too-large",
		},
		envoyAPI + "EnvoyPatchPolicy " + name + "-edge": {
			gatewayAPI + "HTTPRoute " + name, gatewayAPI + "HTTPRoute " + name + "-ws",
			"kubernetes:core/v1:Service " + name,
		},
	} {
		resourceType, resourceName, _ := strings.Cut(resource, " ")
		dependsOn := recording.Find(t, resourceType, resourceName).DependsOn
		for _, earlier := range before {
			if !slices.Contains(dependsOn, earlier) {
				t.Errorf("%s does not wait for %s, only for %q", resource, earlier, dependsOn)
			}
		}
	}
	for resource, want := range map[string]string{"Gateway": "condition=Programmed"} {
		gateway := recording.Find(t, gatewayAPI+resource, name)
		if got := gateway.At("metadata", "annotations", "pulumi.com/waitFor"); got != want {
			t.Errorf("%s waits for %v, want %s", resource, got, want)
		}
	}
}

func TestInternalPathsAreRefused(t *testing.T) {
	refused := pulumitest.Up(t, register(edgeArgs())).Find(t, gatewayAPI+"HTTPRoute", name+"-refused")
	for i, want := range []string{"/metrics", "/livez", "/ready"} {
		if got := refused.At("spec", "rules", 0, "matches", i, "path", "value"); got != want {
			t.Errorf("path %d is %v, want %s", i, got, want)
		}
	}
	if got := refused.At("spec", "rules", 0, "filters", 0, "extensionRef", "name"); got != "ai-agent-not-found" {
		t.Errorf("answered by %v", got)
	}
}

func TestLargeBodiesAreRefused(t *testing.T) {
	refused := pulumitest.Up(t, register(edgeArgs())).Find(t, gatewayAPI+"HTTPRoute", name+"-refused")
	value, _ := refused.At("spec", "rules", 1, "matches", 0, "headers", 0, "value").(string)
	// Envoy wants the whole value to match.
	expression, err := regexp.Compile("^(?:" + value + ")$")
	if err != nil {
		t.Fatal(err)
	}
	const limit = 50 << 20
	numbers := []int{0, 1, 9, 10, limit / 10, limit * 10, 99999999, 100000000, 1 << 40}
	for power := 1; power < limit; power *= 10 {
		for digit := 1; digit < 10; digit++ {
			numbers = append(numbers, digit*power, digit*power-1, limit-digit*power, limit+digit*power)
		}
	}
	for number := limit - 1000; number < limit+1000; number++ {
		numbers = append(numbers, number)
	}
	for _, number := range numbers {
		if got, want := expression.MatchString(strconv.Itoa(number)), number > limit; got != want && number >= 0 {
			t.Errorf("a body of %d bytes is refused: %v, want %v", number, got, want)
		}
	}
}

// TestRateLimit finds the burst in the patch of what Envoy Gateway makes of the rate.
func TestRateLimit(t *testing.T) {
	args := edgeArgs()
	args.Edge.RateLimit = 30
	recording := pulumitest.Up(t, register(args))
	for _, policy := range recording.OfType(envoyAPI + "BackendTrafficPolicy") {
		rule := []any{"spec", "rateLimit", "local", "rules", 0}
		if got := policy.At(append(rule, "limit", "requests")...); got != 30.0 {
			t.Errorf("%s lets through %v requests a second, want 30", policy.Name, got)
		}
		if got := policy.At(append(rule, "clientSelectors", 0, "sourceCIDR", "type")...); got != "Distinct" {
			t.Errorf("%s counts clients by %v", policy.Name, got)
		}
	}
	patch := recording.Find(t, envoyAPI+"EnvoyPatchPolicy", name+"-edge")
	if got := patch.At("spec", "jsonPatches", 1, "operation", "value"); got != 60.0 {
		t.Errorf("burst of %v, want 60", got)
	}
	if got := patch.At("spec", "jsonPatches", 0, "operation", "value", 0, "header", "key"); got != "retry-after" {
		t.Errorf("adds the header %v", got)
	}
}

// TestTimeouts: a stream may last, silence may not.
func TestTimeouts(t *testing.T) {
	recording := pulumitest.Up(t, register(edgeArgs()))
	for role, want := range map[string][2]string{"": {"0s", "300s"}, "-ws": {"3600s", "3600s"}} {
		request := recording.Find(t, gatewayAPI+"HTTPRoute", name+role).At("spec", "rules", 0, "timeouts", "request")
		timeout := recording.Find(t, envoyAPI+"BackendTrafficPolicy", name+role)
		idle, connect := timeout.At("spec", "timeout", "http", "streamIdleTimeout"),
			timeout.At("spec", "timeout", "tcp", "connectTimeout")
		if request != want[0] || idle != want[1] || connect != "10s" {
			t.Errorf("%q: request %v, idle %v, connect %v", role, request, idle, connect)
		}
		// The API's own is 120 s.
		if got := timeout.At("spec", "timeout", "http", "connectionIdleTimeout"); got != "60s" {
			t.Errorf("%q: Envoy keeps connections to the API for %v", role, got)
		}
	}
}

// TestManyRequestsMayWait for as long as the database switches over.
func TestManyRequestsMayWait(t *testing.T) {
	for _, policy := range pulumitest.Up(t, register(edgeArgs())).OfType(envoyAPI + "BackendTrafficPolicy") {
		for _, limit := range []string{"maxConnections", "maxPendingRequests", "maxParallelRequests"} {
			if got := policy.At("spec", "circuitBreaker", limit); got != 9000.0 {
				t.Errorf("%s of %s is %v", limit, policy.Name, got)
			}
		}
	}
}

// TestOnlyUnseenRequestsAreTriedAgain: what a pod may have begun must not be done twice.
func TestOnlyUnseenRequestsAreTriedAgain(t *testing.T) {
	recording := pulumitest.Up(t, register(edgeArgs()))
	for _, policy := range recording.OfType(envoyAPI + "BackendTrafficPolicy") {
		triggers := fmt.Sprint(policy.At("spec", "retry", "retryOn", "triggers"))
		if triggers != "[connect-failure refused-stream]" {
			t.Errorf("%s tries again on %s", policy.Name, triggers)
		}
		if got := policy.At("spec", "healthCheck", "passive", "consecutive5XxErrors"); got != 0.0 {
			t.Errorf("%s judges pods by %v answers", policy.Name, got)
		}
	}
}

func TestCanaryGetsItsShare(t *testing.T) {
	args := edgeArgs()
	args.Canary = apiservice.Canary{Enabled: true, Weight: 15}
	for _, test := range []struct {
		args apiservice.Args
		want map[any]any
	}{
		{edgeArgs(), map[any]any{"ai-agent-api": 100.0}},
		{args, map[any]any{"ai-agent-api": 85.0, "ai-agent-api-canary": 15.0}},
	} {
		recording := pulumitest.Up(t, register(test.args))
		for _, role := range []string{"", "-ws"} {
			route := recording.Find(t, gatewayAPI+"HTTPRoute", name+role)
			backends, _ := route.At("spec", "rules", 0, "backendRefs").([]any)
			if len(backends) != len(test.want) {
				t.Errorf("%s has %d backends, want %d", route.Name, len(backends), len(test.want))
			}
			for i := range backends {
				backend := route.At("spec", "rules", 0, "backendRefs", i, "name")
				if got := route.At("spec", "rules", 0, "backendRefs", i, "weight"); got != test.want[backend] {
					t.Errorf("%s gives %v a weight of %v, want %v", route.Name, backend, got, test.want[backend])
				}
			}
		}
	}
}

func TestNoCrossOriginWithoutOrigins(t *testing.T) {
	args := edgeArgs()
	args.Edge.CORSOrigins = nil
	if found := pulumitest.Up(t, register(args)).OfType(envoyAPI + "SecurityPolicy"); len(found) > 0 {
		t.Errorf("there is %s", found[0].Name)
	}
}

func TestLetsEncrypt(t *testing.T) {
	for issuer, server := range map[string]string{
		apiservice.IssuerLetsEncrypt:        "https://acme-v02.api.letsencrypt.org/directory",
		apiservice.IssuerLetsEncryptStaging: "https://acme-staging-v02.api.letsencrypt.org/directory",
	} {
		args := edgeArgs()
		args.Edge.Issuer = issuer
		recording := pulumitest.Up(t, register(args))
		if got := recording.Find(t, issuerType, name+"-edge").At("spec", "acme", "server"); got != server {
			t.Errorf("%s asks %v", issuer, got)
		}
		certificate := recording.Find(t, certManager, name+"-edge")
		if certificate.At("spec", "secretName") != "api-tls" ||
			certificate.At("spec", "dnsNames", 0) != "api.example.com" {
			t.Errorf("certificate %v", certificate.Inputs)
		}
		issuerResource := recording.Find(t, issuerType, name+"-edge")
		if !slices.Contains(issuerResource.DependsOn, gatewayAPI+"Gateway "+name) {
			t.Error("a certificate is asked for before there is a Gateway to prove the name by")
		}
		for _, secret := range recording.OfType(secretType) {
			if secret.At("metadata", "name") == "api-tls" {
				t.Error("the program makes the Secret of cert-manager, too")
			}
		}
		proxy := recording.Find(t, envoyAPI+"EnvoyProxy", name+"-edge")
		if got := proxy.At("spec", "provider", "kubernetes", "envoyService", "type"); got != "LoadBalancer" {
			t.Errorf("the authority reaches a Service of type %v", got)
		}
	}
}

func TestOutputsOfTheEdge(t *testing.T) {
	encrypted := edgeArgs()
	encrypted.Edge.Issuer = apiservice.IssuerLetsEncrypt
	for testName, test := range map[string]struct {
		args      apiservice.Args
		authority bool
	}{
		"local":         {edgeArgs(), true},
		"load balancer": {balancedArgs(), false},
		"Let's Encrypt": {encrypted, false},
	} {
		t.Run(testName, func(t *testing.T) {
			var hostname, authority string
			pulumitest.Up(t, func(ctx *pulumi.Context) error {
				service, err := apiservice.New(ctx, "api", test.args)
				if err != nil {
					return err
				}
				pulumi.All(service.Hostname, service.CA).ApplyT(func(values []any) error {
					hostname, authority = values[0].(string), values[1].(string)
					return nil
				})
				if pulumi.IsSecret(service.CA) {
					t.Error("the authority's certificate is a secret")
				}
				return nil
			})
			if hostname != "api.elb.amazonaws.com" {
				t.Errorf("hostname %q", hostname)
			}
			if got := strings.HasPrefix(authority, "-----BEGIN CERTIFICATE-----"); got != test.authority {
				t.Errorf("authority %q", authority)
			}
		})
	}
}
