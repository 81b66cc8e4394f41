package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
)

// tlsDialer connects to nodes whose certificate is of an authority and for the host of the node's address.
func tlsDialer(caFile string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		content, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read authority of redis: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("read authority of redis: no certificate in %s", caFile)
		}
		dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: &tls.Config{RootCAs: roots}}
		return dialer.DialContext(ctx, network, addr)
	}
}
