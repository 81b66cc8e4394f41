package apiservice

import (
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"

	"agentstack/internal/kube"
)

// edge is what a registered edge has to tell.
type edge struct {
	// authority is the certificate of the local authority, "" for another issuer and behind a load balancer.
	authority pulumi.StringOutput
	// hostname is the address of the Gateway, a name or an IP.
	hostname pulumi.StringOutput
	// routes are those to the API.
	routes []pulumi.Resource
}

// newEdge registers the edge in the order in which nothing is open before it is closed: routes to the API come after
// the limits and the refusals. Until the API has pods, Envoy answers in its place with 503.
func (r registration) newEdge(backends []pulumi.Resource) (edge, error) {
	if r.args.Edge == nil {
		return edge{}, nil
	}
	var after []pulumi.Resource
	made := edge{authority: pulumi.String("").ToStringOutput()}
	if r.args.Edge.Issuer == IssuerLocal {
		secret, err := kube.NewSignedCertificate(r.ctx, r.name+"-tls", edgeObject(r.args, tlsSecretName),
			r.args.Edge.Hosts, r.parent)
		if err != nil {
			return edge{}, err
		}
		after = append(after, secret)
		if !r.args.Edge.inCloud() {
			made.authority = pulumi.Unsecret(kube.Decoded(secret, kube.CAFile)).(pulumi.StringOutput)
		}
	}
	gateway, err := r.newGateway(after)
	if err != nil {
		return edge{}, err
	}
	made.hostname = pulumix.Cast[pulumi.StringOutput](pulumix.ApplyErr[any](gateway.Status, firstAddress))
	served := []pulumi.Resource{gateway}
	if r.args.Edge.Issuer != IssuerLocal {
		if served, err = r.newIssued(served); err != nil {
			return edge{}, err
		}
	}
	rules, err := r.newRules(served)
	if err != nil {
		return edge{}, err
	}
	made.routes, err = r.newRoutes(append(rules, backends...))
	return made, err
}

func (r registration) newGateway(after []pulumi.Resource) (*kube.Object, error) {
	proxy, err := kube.NewCustomResource(r.ctx, r.name+"-edge", envoyProxy(r.args), r.parent)
	if err != nil {
		return nil, err
	}
	return kube.NewCustomResource(r.ctx, r.name, gateway(r.args), r.parent, pulumi.DependsOn(append(after, proxy)))
}

// newIssued registers a certificate of cert-manager. Its authority asks the Gateway for a proof, so there is one first,
// and Envoy has to reach the pods that answer.
func (r registration) newIssued(after []pulumi.Resource) ([]pulumi.Resource, error) {
	err := kube.NewNetworkPolicy(r.ctx, r.name+"-acme-solver", edgeObject(r.args, solverName), solverPods,
		solverIngress(), nil, r.parent)
	if err != nil {
		return nil, err
	}
	issuer, err := kube.NewCustomResource(r.ctx, r.name+"-edge", issuer(r.args), r.parent, pulumi.DependsOn(after))
	if err != nil {
		return nil, err
	}
	certificate, err := kube.NewCustomResource(r.ctx, r.name+"-edge", issuedCertificate(r.args), r.parent,
		pulumi.DependsOn([]pulumi.Resource{issuer}))
	if err != nil {
		return nil, err
	}
	return []pulumi.Resource{certificate}, nil
}

// newRules registers what has to be in force before requests reach the API.
func (r registration) newRules(after []pulumi.Resource) ([]pulumi.Resource, error) {
	var made []pulumi.Resource
	var problems []error
	keep := func(resource pulumi.Resource, err error) {
		made, problems = append(made, resource), append(problems, err)
	}
	register := []pulumi.ResourceOption{r.parent, pulumi.DependsOn(after)}
	keep(kube.NewCustomResource(r.ctx, r.name+"-edge", clientTraffic(r.args), register...))
	keep(kube.NewCustomResource(r.ctx, r.name, apiTraffic(r.args), register...))
	keep(kube.NewCustomResource(r.ctx, r.name+"-ws", webSocketTraffic(r.args), register...))
	if len(r.args.Edge.CORSOrigins) > 0 {
		keep(kube.NewCustomResource(r.ctx, r.name+"-edge", crossOrigin(r.args), register...))
	}
	keep(kube.NewCustomResource(r.ctx, r.name+"-redirect", redirectRoute(r.args), register...))
	notFound := refusal(r.args, filterNotFound, 404, "Not Found")
	keep(kube.NewCustomResource(r.ctx, r.name+"-not-found", notFound, register...))
	tooLarge := refusal(r.args, filterTooLarge, 413, "Content Too Large")
	keep(kube.NewCustomResource(r.ctx, r.name+"-too-large", tooLarge, register...))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	refused, err := kube.NewCustomResource(r.ctx, r.name+"-refused", refusedRoute(r.args), r.parent,
		pulumi.DependsOn(made))
	return append(made, refused), err
}

func (r registration) newRoutes(after []pulumi.Resource) ([]pulumi.Resource, error) {
	api, err := kube.NewCustomResource(r.ctx, r.name, apiRoute(r.args), r.parent, pulumi.DependsOn(after))
	if err != nil {
		return nil, err
	}
	webSocket, err := kube.NewCustomResource(r.ctx, r.name+"-ws", webSocketRoute(r.args), r.parent,
		pulumi.DependsOn(after))
	return []pulumi.Resource{api, webSocket}, err
}

// newRateLimit registers what changes the rate limit of the routes, where there are any. Envoy Gateway finds nothing to
// change in the route to a Service without pods.
func (r registration) newRateLimit(after []pulumi.Resource) error {
	if r.args.Edge == nil {
		return nil
	}
	_, err := kube.NewCustomResource(r.ctx, r.name+"-edge", rateLimitPatch(r.args), r.parent, pulumi.DependsOn(after))
	return err
}

// firstAddress returns the first address in the status of a Gateway.
func firstAddress(status any) (string, error) {
	document, _ := status.(map[string]any)
	addresses, _ := document["addresses"].([]any)
	if len(addresses) > 0 {
		if first, _ := addresses[0].(map[string]any); first["value"] != nil {
			return first["value"].(string), nil
		}
	}
	return "", errors.New("the Gateway has no address")
}
