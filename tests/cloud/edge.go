//go:build e2e

package cloud

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	// Host is the name of the API, as Pulumi.local.yaml has it.
	Host = "api.agentstack.test"
	// EdgeNamespace is where the Envoys are.
	EdgeNamespace = "envoy-gateway-system"
	edgeService   = "ai-agent-edge"
	dialTimeout   = 10 * time.Second
)

// Edge is where clients reach the API: the Envoys' Service, whose certificate is of an authority of the stack's own.
type Edge struct {
	// Address is that of the Service, without a port.
	Address string
	// Authority has the one certificate by which the Envoys are known.
	Authority *x509.CertPool
}

// FindEdge looks the Service and the authority up.
func FindEdge() (Edge, error) {
	address, err := ServiceAddress(EdgeNamespace, edgeService)
	if err != nil {
		return Edge{}, err
	}
	encoded, err := Try("kubectl", "-n", Namespace, "get", "secret", "api-tls", "-o", `jsonpath={.data.ca\.crt}`)
	if err != nil {
		return Edge{}, err
	}
	certificate, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return Edge{}, fmt.Errorf("decode ca.crt of Secret api-tls: %w", err)
	}
	edge := Edge{Address: address, Authority: x509.NewCertPool()}
	if !edge.Authority.AppendCertsFromPEM(certificate) {
		return Edge{}, errors.New("ca.crt of Secret api-tls holds no certificate")
	}
	return edge, nil
}

// Dial connects to the Service at the port of an address, whatever the address' host.
func (e Edge) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("split %s: %w", address, err)
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, net.JoinHostPort(e.Address, port))
}

// DialTLS connects to port 443 as a client that asks for a server name.
func (e Edge) DialTLS(serverName string) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	conn, err := e.Dial(ctx, "tcp", net.JoinHostPort(serverName, "443"))
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: e.Authority, ServerName: serverName})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("shake hands for %s: %w", serverName, err), conn.Close())
	}
	return secure, nil
}

// Transport sends each request on a connection of its own, so that none is tried again without being seen.
func (e Edge) Transport() *http.Transport {
	return &http.Transport{
		DialContext: e.Dial, TLSClientConfig: &tls.Config{RootCAs: e.Authority}, DisableKeepAlives: true,
	}
}
