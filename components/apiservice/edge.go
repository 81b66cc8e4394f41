package apiservice

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Values of EdgeSettings.Issuer.
const (
	// IssuerLocal is an authority that the program makes, for this API alone. Clients have to be told of it.
	IssuerLocal = "local"
	// IssuerLetsEncrypt is the public authority. cert-manager asks it, which the cluster has to have.
	IssuerLetsEncrypt = "letsencrypt"
	// IssuerLetsEncryptStaging is where to try that: its limits are higher, and nobody trusts its certificates.
	IssuerLetsEncryptStaging = "letsencrypt-staging"
)

var issuers = []string{IssuerLocal, IssuerLetsEncrypt, IssuerLetsEncryptStaging}

// Edge makes the API reachable from outside the cluster: by a Gateway that Envoy Gateway serves.
type Edge struct {
	// Hosts are the DNS names that clients ask for, such as api.example.com. At least one.
	Hosts []string
	// CertificateARN is a certificate of ACM for Hosts, in the region of the cluster, with which a network load
	// balancer of AWS ends TLS; it speaks TLS to Envoy, too. Nil: there is no such load balancer.
	CertificateARN pulumi.StringInput

	EdgeSettings
}

// EdgeSettings is the part of Edge that a stack's configuration gives. A zero field stands for its default.
type EdgeSettings struct {
	// Issuer of Envoy's certificate: local, an authority that the program makes, or letsencrypt or letsencrypt-staging,
	// by way of cert-manager. Default local.
	Issuer string `json:"issuer"`
	// CORSOrigins are the origins whose pages may call the API, such as https://app.example.com. Default: none.
	CORSOrigins []string `json:"corsOrigins"`
	// RateLimit is how many requests a second a client, an address, may make. For a moment it may make twice as many.
	// Default 100.
	RateLimit int `json:"rateLimit"`
	// ConnectionLimit is how many connections one Envoy keeps on a port, those of all clients together. There are two
	// Envoys. Default 50.
	ConnectionLimit int `json:"connectionLimit"`
}

// maxConnections is what the memory of an Envoy is enough for, at 100 KB for a connection with TLS.
const maxConnections = 4000

func (s EdgeSettings) withDefaults() EdgeSettings {
	if s.Issuer == "" {
		s.Issuer = IssuerLocal
	}
	if s.RateLimit == 0 {
		s.RateLimit = 100
	}
	if s.ConnectionLimit == 0 {
		s.ConnectionLimit = 50
	}
	return s
}

// validate reports every problem, each led by the path of its field below path.
func (e Edge) validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if len(e.Hosts) == 0 {
		problems = append(problems, field.Required(path.Child("hosts"), "give the names that clients ask for"))
	}
	for i, host := range e.Hosts {
		at := path.Child("hosts").Index(i)
		problems = append(problems, ValidateHost(at, host)...)
		if slices.Contains(e.Hosts[:i], host) {
			problems = append(problems, field.Duplicate(at, host))
		}
	}
	if e.CertificateARN != nil && e.withDefaults().Issuer != IssuerLocal {
		problems = append(problems, field.Forbidden(path.Child("issuer"),
			"clients see the certificate of the load balancer: leave it at local"))
	}
	return append(problems, e.Validate(path)...)
}

// ValidateHost reports what is not the name of a host in a domain.
func ValidateHost(path *field.Path, host string) field.ErrorList {
	if host == "" {
		return field.ErrorList{field.Required(path, "give the name that clients ask for, such as api.example.com")}
	}
	if details := validation.IsDNS1123Subdomain(host); len(details) > 0 {
		return field.ErrorList{field.Invalid(path, host, strings.Join(details, ", "))}
	}
	return validation.IsFullyQualifiedDomainName(path, host)
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s EdgeSettings) Validate(path *field.Path) field.ErrorList {
	s = s.withDefaults()
	problems := field.ErrorList{}
	if !slices.Contains(issuers, s.Issuer) {
		problems = append(problems, field.NotSupported(path.Child("issuer"), s.Issuer, issuers))
	}
	for i, origin := range s.CORSOrigins {
		at := path.Child("corsOrigins").Index(i)
		if !isOrigin(origin) {
			problems = append(problems, field.Invalid(at, origin,
				"must be a scheme and a host, with a port if it is not the usual one, such as https://app.example.com"))
		}
		if slices.Contains(s.CORSOrigins[:i], origin) {
			problems = append(problems, field.Duplicate(at, origin))
		}
	}
	if s.RateLimit < 1 || s.RateLimit > 100000 {
		problems = append(problems, field.Invalid(path.Child("rateLimit"), s.RateLimit,
			"must be at least 1 and at most 100000 requests a second"))
	}
	if s.ConnectionLimit < 1 || s.ConnectionLimit > maxConnections {
		problems = append(problems, field.Invalid(path.Child("connectionLimit"), s.ConnectionLimit,
			fmt.Sprintf("must be at least 1 and at most %d, for which an Envoy has memory", maxConnections)))
	}
	return problems
}

// isOrigin tells whether a page can have the origin, which is no wildcard: answers carry credentials.
func isOrigin(origin string) bool {
	parsed, err := url.Parse(origin)
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return false
	}
	return origin == parsed.Scheme+"://"+parsed.Host && len(validation.IsDNS1123Subdomain(parsed.Hostname())) == 0
}

// inCloud tells whether a load balancer of AWS is in front of Envoy.
func (e Edge) inCloud() bool { return e.CertificateARN != nil }

// public tells whether clients come from outside the cluster's network.
func (e Edge) public() bool { return e.inCloud() || e.Issuer != IssuerLocal }

// burst is how many requests a client may make at once after it was silent.
func (e Edge) burst() int { return 2 * e.RateLimit }
