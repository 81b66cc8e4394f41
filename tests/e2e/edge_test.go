//go:build e2e

package e2e

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"agentstack/tests/cloud"
	"agentstack/tests/visitors"
)

const (
	secure = "https://" + cloud.Host
	// envoys selects those of the Gateway.
	envoys = "gateway.envoyproxy.io/owning-gateway-name=ai-agent"
	// page is an origin that Pulumi.local.yaml lets call the API.
	page = "https://app.example.com"
	// maxBody is in bytes.
	maxBody = 50 << 20
)

// edgeAnswers looks at the edge as a client does that is no friend.
func edgeAnswers(t *testing.T) {
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"plain HTTP is sent to HTTPS", redirected},
		{"who the edge is", certified},
		{"other hosts", otherHosts},
		{"paths for the cluster alone", internalPaths},
		{"pages of other origins", crossOrigin},
		{"bodies that are too large", bodies},
		{"answers in parts", inParts},
		{"the access log", accessLogged},
		{"too many requests", rateLimited},
	} {
		t.Run(part.name, part.run)
	}
}

// ask sends a request on a connection of its own and follows no redirect. Headers are names and values in turn.
func ask(t *testing.T, method, url string, headers ...string) (answer *http.Response, body string) {
	t.Helper()
	request, err := http.NewRequest(method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	request.Host = request.Header.Get("Host")
	transport := api.Edge.Transport()
	transport.ResponseHeaderTimeout = requestTimeout
	answer, err = transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(content)
}

func wantStatus(t *testing.T, answer *http.Response, want int) {
	t.Helper()
	if answer.StatusCode != want {
		t.Errorf("%s %s: %s, not %d", answer.Request.Method, answer.Request.URL, answer.Status, want)
	}
}

func wantHeaders(t *testing.T, answer *http.Response, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := strings.Join(answer.Header.Values(name), ", "); got != value {
			t.Errorf("%s %s: %s is %q, not %q", answer.Request.Method, answer.Request.URL, name, got, value)
		}
	}
}

// securityHeaders are on every answer, whoever gives it.
var securityHeaders = map[string]string{
	"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
	"X-Content-Type-Options":    "nosniff",
	"X-Frame-Options":           "DENY",
	"Referrer-Policy":           "no-referrer",
	"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
	"Server":                    "",
}

func redirected(t *testing.T) {
	answer, _ := ask(t, http.MethodPost, "http://"+cloud.Host+"/v1/models?x=1")
	wantStatus(t, answer, http.StatusPermanentRedirect)
	wantHeaders(t, answer, securityHeaders)
	wantHeaders(t, answer, map[string]string{"Location": secure + "/v1/models?x=1"})
}

func certified(t *testing.T) {
	answer, _ := ask(t, http.MethodGet, secure+"/health")
	wantStatus(t, answer, http.StatusOK)
	wantHeaders(t, answer, securityHeaders)
	stranger := cloud.Edge{Address: api.Edge.Address, Authority: x509.NewCertPool()}
	conn, err := stranger.DialTLS(cloud.Host)
	var unknown x509.UnknownAuthorityError
	if err == nil {
		_ = conn.Close()
	}
	if !errors.As(err, &unknown) {
		t.Errorf("without the stack's authority: %v", err)
	}
}

func otherHosts(t *testing.T) {
	answer, _ := ask(t, http.MethodGet, secure+"/health", "Host", "other.example.com")
	wantStatus(t, answer, http.StatusNotFound)
	answer, _ = ask(t, http.MethodGet, "http://"+cloud.Host+"/health", "Host", "other.example.com")
	wantStatus(t, answer, http.StatusNotFound)
	conn, err := api.Edge.DialTLS("other.example.com")
	if err == nil {
		_ = conn.Close()
		t.Error("a client that asks for another name gets a connection")
	}
	var certificate x509.HostnameError
	if errors.As(err, &certificate) {
		t.Errorf("a client that asks for another name is shown a certificate: %v", err)
	}
}

func internalPaths(t *testing.T) {
	for _, path := range []string{
		"/metrics", "/livez", "/ready", "/metrics/", "/metrics?x=1", "//metrics", "/x/../metrics", "/%6detrics",
	} {
		answer, body := ask(t, http.MethodGet, secure+path)
		wantStatus(t, answer, http.StatusNotFound)
		wantHeaders(t, answer, securityHeaders)
		if strings.Contains(body, "ai_agent_") {
			t.Errorf("%s shows metrics", path)
		}
	}
}

func crossOrigin(t *testing.T) {
	preflight := func(origin string) *http.Response {
		answer, _ := ask(t, http.MethodOptions, secure+"/v1/chat/completions", "Origin", origin,
			"Access-Control-Request-Method", http.MethodPost, "Access-Control-Request-Headers", "authorization")
		return answer
	}
	ours := preflight(page)
	wantStatus(t, ours, http.StatusOK)
	wantHeaders(t, ours, map[string]string{
		"Access-Control-Allow-Origin":      page,
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET, POST, PUT, DELETE, OPTIONS",
		"Access-Control-Allow-Headers":     "Content-Type, Authorization, X-Request-ID",
		"Access-Control-Max-Age":           "1728000",
	})
	wantHeaders(t, preflight("https://evil.example.com"), map[string]string{"Access-Control-Allow-Origin": ""})
	// A page may read an answer that is an error, too.
	answer, _ := ask(t, http.MethodGet, secure+"/v1/agents", "Origin", page)
	wantStatus(t, answer, http.StatusUnauthorized)
	wantHeaders(t, answer, map[string]string{"Access-Control-Allow-Origin": page})
	wantHeaders(t, answer, securityHeaders)
}

// bodies announces some and sends nothing of them: what is too large is refused before its first byte.
func bodies(t *testing.T) {
	for size, want := range map[int]int{
		maxBody: http.StatusUnauthorized, maxBody + 1: http.StatusRequestEntityTooLarge,
	} {
		conn, err := api.Edge.DialTLS(cloud.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
			t.Fatal(err)
		}
		request := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\n\r\n", cloud.Host, size)
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("body of %d bytes: %v", size, err)
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("body of %d bytes: %s, not %d", size, answer.Status, want)
		}
	}
}

// inParts asks over WebSockets and reads streams for a while.
func inParts(t *testing.T) {
	const while = 15 * time.Second // a stream takes nine
	edge := visitors.Edge{
		Address: net.JoinHostPort(api.Edge.Address, "443"), Host: cloud.Host, CA: api.Edge.Authority,
	}
	few, err := visitors.Start(edge, []string{api.Key}, visitors.Load{Rate: 1, Streams: 1, Sockets: 1})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(while)
	saw := few.Stop()
	t.Logf("%d answers over WebSockets, %d streams", saw.Sockets.Finished, saw.Streams.Finished)
	if saw.Sockets.Finished == 0 || saw.Streams.Finished == 0 || len(saw.Failures) > 0 {
		t.Errorf("WebSockets %+v, streams %+v, failures: %v", saw.Sockets, saw.Streams, saw.Failures)
	}
}

// accessLogged finds the line of a request in the log of an Envoy, which writes it some seconds later.
func accessLogged(t *testing.T) {
	id := fmt.Sprintf("logged-%d", time.Now().UnixNano())
	answer, _ := ask(t, http.MethodGet, secure+"/v1/agents", "X-Request-ID", id, "User-Agent", "edge test")
	wantStatus(t, answer, http.StatusUnauthorized)
	var line map[string]any
	cloud.Eventually(t, cloud.HealTimeout, "the request is in the access log", func() error {
		log, err := cloud.Try("kubectl", "-n", cloud.EdgeNamespace, "logs", "-l", envoys, "-c", "envoy",
			"--since=10m", "--tail=-1")
		if err != nil {
			return err
		}
		for text := range strings.Lines(log) {
			if strings.Contains(text, id) {
				return json.Unmarshal([]byte(text), &line)
			}
		}
		return fmt.Errorf("no line of request %s", id)
	})
	for field, want := range map[string]any{
		"req_id": id, "request": "GET /v1/agents HTTP/1.1", "host": cloud.Host, "http_user_agent": "edge test",
		"status": float64(http.StatusUnauthorized), "upstream_status": float64(http.StatusUnauthorized),
		"remote_user": "-",
	} {
		if line[field] != want {
			t.Errorf("%s is %v, not %v", field, line[field], want)
		}
	}
	for _, field := range []string{
		"remote_addr", "time_local", "http_referer", "body_bytes_sent", "request_length", "request_time_ms",
		"proxy_upstream_name", "upstream_addr", "upstream_response_length", "upstream_response_time_ms",
	} {
		if _, ok := line[field]; !ok {
			t.Errorf("the line has no %s: %v", field, line)
		}
	}
}
