package llm

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// maxRetryWait is the longest Retry-After that is waited for. When a server asks for more, the caller is told
// at once: it may have another server to ask.
const maxRetryWait = 5 * time.Second

// sdkHeaders tell of the SDK and of this process. They are not sent: each costs time at both ends.
var sdkHeaders = []string{
	"X-Stainless-Arch", "X-Stainless-Lang", "X-Stainless-Os", "X-Stainless-Package-Version",
	"X-Stainless-Retry-Count", "X-Stainless-Runtime", "X-Stainless-Runtime-Version", "X-Stainless-Timeout",
}

// httpDoer sends the requests of the SDKs. It is no http.Client, because that follows redirects, and one would
// carry prompts and the key to a server that nobody configured.
type httpDoer struct {
	transport http.RoundTripper
}

func newDoer(options Options) *httpDoer {
	transport := http.RoundTripper(&http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
	})
	if options.Tracing {
		spanName := func(string, *http.Request) string { return "model " + options.Name }
		transport = otelhttp.NewTransport(transport, otelhttp.WithSpanNameFormatter(spanName))
	}
	return &httpDoer{transport}
}

// Do implements the SDKs' HTTPClient. It reads errors here, because the SDKs read them without a bound, and
// leave those unread after which they try again, so that the connection is lost.
func (d *httpDoer) Do(request *http.Request) (*http.Response, error) {
	for _, name := range sdkHeaders {
		delete(request.Header, name)
	}
	response, err := d.transport.RoundTrip(request)
	if err != nil || response.StatusCode < 400 {
		return response, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxError))
	_ = response.Body.Close() // the status says more than an error here
	if err != nil {
		body = nil
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	paceRetry(response.Header)
	return response, nil
}

// paceRetry gives a Retry-After up to a quarter more at random, since all clients were told the same, and
// forbids to wait for one that is too long.
func paceRetry(header http.Header) {
	wait, given := retryAfter(header)
	switch {
	case !given:
	case wait > maxRetryWait.Seconds():
		header.Set("X-Should-Retry", "false")
	default:
		wait *= 1 + rand.Float64()/4
		header.Set("Retry-After-Ms", strconv.FormatFloat(wait*1000, 'f', 0, 64))
	}
}

// retryAfter returns seconds. What is no number and no date counts as not given.
func retryAfter(header http.Header) (float64, bool) {
	if wait, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil && wait >= 0 {
		return wait / 1000, true
	}
	value := header.Get("Retry-After")
	if wait, err := strconv.ParseFloat(value, 64); err == nil && wait >= 0 {
		return wait, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(date).Seconds()), true
	}
	header.Del("Retry-After-Ms")
	header.Del("Retry-After")
	return 0, false
}
