package visitors

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Edge is where the API is reached.
type Edge struct {
	// Address to connect to, as host:port, whatever Host resolves to.
	Address string
	// Host is the name in the handshake of TLS and in requests.
	Host string
	// CA are the authorities of whom the edge's certificate must be.
	CA *x509.CertPool
}

const (
	connectTimeout = 30 * time.Second
	// idleTimeout is shorter than the time after which any server closes an idle connection, and than the time that an
	// Envoy which goes away gives its connections.
	idleTimeout = 20 * time.Second
)

// clients are those of many visitors. None of them repeats a request that may have arrived: Go's transport sends a
// POST again on another connection only if nothing of it was written, or if a server of HTTP/2 said in its GOAWAY that
// it did not take it. A server that closes a connection just when the next request comes along has failed it.
type clients struct {
	http1, http2 *http.Client
	// fresh makes a connection for each request.
	fresh *http.Client
}

func (e Edge) clients() clients {
	var one, two http.Protocols
	one.SetHTTP1(true)
	two.SetHTTP2(true)
	c := clients{http1: e.client(one), http2: e.client(two), fresh: e.client(one)}
	c.fresh.Transport.(*http.Transport).DisableKeepAlives = true
	return c
}

func (e Edge) client(protocols http.Protocols) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return e.dial(ctx) },
		TLSClientConfig:     e.tls(),
		TLSHandshakeTimeout: connectTimeout,
		Protocols:           &protocols,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConnsPerHost: 100,
	}}
}

func (e Edge) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", e.Address)
}

func (e Edge) tls() *tls.Config {
	return &tls.Config{RootCAs: e.CA, ServerName: e.Host, MinVersion: tls.VersionTLS12}
}

func (c clients) close() {
	for _, client := range []*http.Client{c.http1, c.http2, c.fresh} {
		client.CloseIdleConnections()
	}
}

// refusal is an answer that is no success.
type refusal struct {
	what   string
	status int
	header http.Header
	body   string
}

func (r *refusal) Error() string {
	const shown = 300
	return fmt.Sprintf("%s: %d %s: %.*s", r.what, r.status, http.StatusText(r.status), shown, strings.TrimSpace(r.body))
}

// refused reads the beginning of an answer's body.
func refused(what string, response *http.Response) error {
	const most = 4 << 10
	body, _ := io.ReadAll(io.LimitReader(response.Body, most)) // the status is the news
	return &refusal{what, response.StatusCode, response.Header, string(body)}
}

// send sends a request, and wants a success. Its body must be closed.
func (v *Visitors) send(
	ctx context.Context, client *http.Client, who caller, method, path string, body any, header ...string,
) (*http.Response, error) {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "https://"+v.edge.Host+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+who.bearer)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		defer func() { _ = response.Body.Close() }()
		return nil, refused(method+" "+path, response)
	}
	return response, nil
}

// call is send for an answer in JSON.
func (v *Visitors) call(client *http.Client, who caller, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), v.times.answer)
	defer cancel()
	response, err := v.send(ctx, client, who, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("decode answer of %s: %w", path, err)
	}
	return nil
}

// create makes an object and returns its id.
func (v *Visitors) create(client *http.Client, who caller, path string, body any) (string, error) {
	var made struct{ ID string }
	err := v.call(client, who, path, body, &made)
	return made.ID, err
}

// session begins a conversation with an agent.
func (v *Visitors) session(client *http.Client, who caller, agent string) (string, error) {
	return v.create(client, who, "/v1/sessions", map[string]any{"agent_id": agent})
}
