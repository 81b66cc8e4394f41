package apiservice

import "agentstack/internal/kube"

const (
	certManagerAPIVersion = "cert-manager.io/v1"
	// accountSecretName is the Secret in which cert-manager keeps the key of its account.
	accountSecretName = "api-acme-account"
	// solverName names the policy for the pods that answer challenges, and solverPort is where they listen.
	solverName = "ai-agent-acme-solver"
	solverPort = 8089
)

// solverPods is the label of the pods with which cert-manager answers challenges. They last as long as the challenge.
var solverPods = map[string]string{"acme.cert-manager.io/http01-solver": "true"}

// acmeServers are where certificates are asked for. https://letsencrypt.org/docs/acme-protocol-updates/
var acmeServers = map[string]string{
	IssuerLetsEncrypt:        "https://acme-v02.api.letsencrypt.org/directory",
	IssuerLetsEncryptStaging: "https://acme-staging-v02.api.letsencrypt.org/directory",
}

// issuerSpec holds the fields of an Issuer that this program sets. https://cert-manager.io/docs/reference/api-docs/
type issuerSpec struct {
	ACME acmeIssuer `json:"acme"`
}

type acmeIssuer struct {
	Server              string       `json:"server"`
	PrivateKeySecretRef secretRef    `json:"privateKeySecretRef"`
	Solvers             []acmeSolver `json:"solvers"`
}

type secretRef struct {
	Name string `json:"name"`
}

type acmeSolver struct {
	HTTP01 http01Solver `json:"http01"`
}

type http01Solver struct {
	GatewayHTTPRoute solverRoute `json:"gatewayHTTPRoute"`
}

type solverRoute struct {
	ParentRefs []targetRef `json:"parentRefs"`
}

type certificateSpec struct {
	SecretName string         `json:"secretName"`
	DNSNames   []string       `json:"dnsNames"`
	IssuerRef  issuerRef      `json:"issuerRef"`
	PrivateKey certificateKey `json:"privateKey"`
}

type issuerRef struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
	Name  string `json:"name"`
}

type certificateKey struct {
	Algorithm      string `json:"algorithm"`
	RotationPolicy string `json:"rotationPolicy"`
}

// issuer answers challenges with a route on the listener for HTTP. Its path is longer than that of the redirect.
func issuer(args Args) kube.CustomResource[issuerSpec] {
	meta := edgeObject(args, edgeName)
	meta.Annotations = kube.WaitForReady
	return kube.CustomResource[issuerSpec]{
		APIVersion: certManagerAPIVersion,
		Kind:       "Issuer",
		Metadata:   meta,
		Spec: issuerSpec{ACME: acmeIssuer{
			Server:              acmeServers[args.Edge.Issuer],
			PrivateKeySecretRef: secretRef{Name: accountSecretName},
			Solvers: []acmeSolver{{HTTP01: http01Solver{GatewayHTTPRoute: solverRoute{ParentRefs: []targetRef{{
				Group: gatewayGroup, Kind: kindGateway, Name: gatewayName, SectionName: listenerHTTP,
			}}}}}},
		}},
	}
}

// solverIngress lets the Envoys of the edge hand on the questions of the authority.
func solverIngress() []kube.Traffic {
	return []kube.Traffic{{
		Peers: []kube.Peer{envoys},
		Ports: []kube.Port{{Number: solverPort}},
	}}
}

// issuedCertificate is kept valid by cert-manager.
func issuedCertificate(args Args) kube.CustomResource[certificateSpec] {
	meta := edgeObject(args, edgeName)
	meta.Annotations = kube.WaitForReady
	return kube.CustomResource[certificateSpec]{
		APIVersion: certManagerAPIVersion,
		Kind:       "Certificate",
		Metadata:   meta,
		Spec: certificateSpec{
			SecretName: tlsSecretName,
			DNSNames:   args.Edge.Hosts,
			IssuerRef:  issuerRef{Group: "cert-manager.io", Kind: "Issuer", Name: edgeName},
			PrivateKey: certificateKey{Algorithm: "ECDSA", RotationPolicy: "Always"},
		},
	}
}
