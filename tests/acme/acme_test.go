// Package acme_test gives what the program registers for a certificate of Let's Encrypt to a real cert-manager, which
// asks a real ACME server for it. It is a module of its own, because of the many modules that these two bring.
package acme_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	meta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gateways "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	// edgeAddress is a loopback address whose port 80 is free.
	edgeAddress    = "127.0.80.1"
	unansweredHost = "unanswered.example.com"
	refusedHost    = "refused.example.com"
)

func TestACME(t *testing.T) {
	nameServer := startNameServer(t, edgeAddress)
	ca := startAuthority(t, nameServer)
	kubernetes := startCluster(t)
	front := edge{cluster: kubernetes, refuses: map[string]func(*http.Request) bool{
		unansweredHost: func(*http.Request) bool { return true },
		refusedHost: func(r *http.Request) bool {
			return !strings.HasPrefix(r.UserAgent(), "cert-manager")
		},
	}}
	front.start(t, edgeAddress)
	startCertManager(t, kubernetes.kubeconfig, nameServer)

	t.Run("a host that answers gets its certificate", func(t *testing.T) { issued(t, front, ca) })
	t.Run("a host that cannot be reached waits", func(t *testing.T) { unanswered(t, kubernetes, ca) })
	t.Run("a host that the authority cannot reach is told so", func(t *testing.T) { refused(t, kubernetes, ca) })
}

func issued(t *testing.T, kubernetes edge, ca authority) {
	kubernetes.register(t, ca, namespace, host)
	kubernetes.awaitIssuer(t, namespace)
	var routes gateways.HTTPRouteList
	solver := client.MatchingLabels{acmev1.SolverIdentificationLabelKey: "true"}
	kubernetes.wait(t, "a route for the challenge", func() bool {
		err := kubernetes.List(t.Context(), &routes, client.InNamespace(namespace), solver)
		return err == nil && len(routes.Items) == 1
	}, &acmev1.ChallengeList{}, &acmev1.OrderList{})
	if !onListener(routes.Items[0], "http") {
		t.Errorf("the route for the challenge is of %+v", routes.Items[0].Spec.ParentRefs)
	}
	// Otherwise the redirect is no rival of that route.
	other := httptest.NewRecorder()
	ofNobody := httptest.NewRequest(http.MethodGet, "http://"+host+"/.well-known/acme-challenge/x", nil)
	kubernetes.ServeHTTP(other, ofNobody)
	if other.Code != http.StatusPermanentRedirect {
		t.Errorf("a token of nobody gets %d: %s", other.Code, other.Body)
	}
	kubernetes.wait(t, "the certificate is ready", func() bool {
		return kubernetes.condition(t, namespace, certmanager.CertificateConditionReady).Status == meta.ConditionTrue
	}, &acmev1.ChallengeList{}, &acmev1.OrderList{}, &certmanager.CertificateList{}, &corev1.EventList{})

	var secret corev1.Secret
	key := client.ObjectKey{Namespace: namespace, Name: "api-tls"}
	if err := kubernetes.Get(t.Context(), key, &secret); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatalf("certificate and key in Secret %s: %v", secret.Name, err)
	}
	if _, ok := pair.PrivateKey.(*ecdsa.PrivateKey); !ok {
		t.Errorf("key of type %T", pair.PrivateKey)
	}
	intermediates := x509.NewCertPool()
	intermediates.AppendCertsFromPEM(secret.Data[corev1.TLSCertKey])
	verify := x509.VerifyOptions{DNSName: host, Roots: ca.roots, Intermediates: intermediates}
	if _, err := pair.Leaf.Verify(verify); err != nil {
		t.Errorf("the certificate is not one of the authority for the host: %v", err)
	}
}

// unanswered: cert-manager does not trouble the authority before it reaches the host itself.
func unanswered(t *testing.T, kubernetes cluster, ca authority) {
	const namespace = "unanswered"
	kubernetes.register(t, ca, namespace, unansweredHost)
	var challenges acmev1.ChallengeList
	kubernetes.wait(t, "a challenge that says why it waits", func() bool {
		return kubernetes.List(t.Context(), &challenges, client.InNamespace(namespace)) == nil &&
			len(challenges.Items) == 1 && strings.Contains(challenges.Items[0].Status.Reason, "wrong status code '503'")
	}, &acmev1.ChallengeList{})
	t.Logf("challenge: %s", challenges.Items[0].Status.Reason)
	ready := kubernetes.condition(t, namespace, certmanager.CertificateConditionReady)
	if ready.Status != meta.ConditionFalse || ready.Reason != "DoesNotExist" {
		t.Errorf("the certificate is ready: %s, because %s: %s", ready.Status, ready.Reason, ready.Message)
	}
	t.Logf("certificate: %s", ready.Message)
}

// refused: what cert-manager reaches and the internet does not.
func refused(t *testing.T, kubernetes cluster, ca authority) {
	const namespace = "refused"
	kubernetes.register(t, ca, namespace, refusedHost)
	var issuing certmanager.CertificateCondition
	kubernetes.wait(t, "a certificate that failed", func() bool {
		issuing = kubernetes.condition(t, namespace, certmanager.CertificateConditionIssuing)
		return issuing.Status == meta.ConditionFalse
	}, &acmev1.ChallengeList{}, &acmev1.OrderList{}, &certmanager.CertificateList{})
	if issuing.Reason != "Failed" || !strings.Contains(issuing.Message, `order is in "invalid" state`) {
		t.Errorf("the certificate failed because %s: %s", issuing.Reason, issuing.Message)
	}
	ready := kubernetes.condition(t, namespace, certmanager.CertificateConditionReady)
	if ready.Status != meta.ConditionFalse {
		t.Errorf("the certificate is ready: %s", ready.Status)
	}
	var challenges acmev1.ChallengeList
	if err := kubernetes.List(t.Context(), &challenges, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	if len(challenges.Items) != 1 || !strings.Contains(challenges.Items[0].Status.Reason, "returned 503") {
		t.Errorf("challenges %+v do not tell what the authority got", challenges.Items)
	}
	t.Logf("certificate: %s", issuing.Message)
	t.Logf("challenge: %s", challenges.Items[0].Status.Reason)
}

// awaitIssuer waits until the ACME server knows the account of the Issuer, as `pulumi up` does.
func (c cluster) awaitIssuer(t *testing.T, namespace string) {
	t.Helper()
	c.wait(t, "the issuer is ready", func() bool {
		var issuer certmanager.Issuer
		key := client.ObjectKey{Namespace: namespace, Name: "ai-agent-edge"}
		return c.Get(t.Context(), key, &issuer) == nil && len(issuer.Status.Conditions) == 1 &&
			issuer.Status.Conditions[0].Status == meta.ConditionTrue
	}, &certmanager.IssuerList{})
}

// condition returns a condition of the certificate, empty while there is none.
func (c cluster) condition(
	t *testing.T, namespace string, of certmanager.CertificateConditionType,
) certmanager.CertificateCondition {
	t.Helper()
	var certificate certmanager.Certificate
	key := client.ObjectKey{Namespace: namespace, Name: "ai-agent-edge"}
	if err := c.Get(t.Context(), key, &certificate); err != nil {
		t.Fatal(err)
	}
	for _, condition := range certificate.Status.Conditions {
		if condition.Type == of {
			return condition
		}
	}
	return certmanager.CertificateCondition{}
}
