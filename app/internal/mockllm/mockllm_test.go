package mockllm

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

type answered struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

func post(ctx context.Context, t *testing.T, url, body string) answered {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answered{err: err}
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return answered{response.StatusCode, response.Header, string(data), err}
}

func start(t *testing.T) string {
	server := httptest.NewServer(Handler())
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}

var paths = map[string]string{"openai": "/chat/completions", "anthropic": "/messages"}

func ask(model, content string, stream bool) string {
	quoted := gjson.AppendJSONString(nil, content)
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%s}],"stream":%t}`, model, quoted, stream)
}

// events returns the data of server-sent events.
func events(t *testing.T, body string) (all []string) {
	t.Helper()
	for event := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		_, data, found := strings.Cut(event, "data: ")
		if !found || (data != "[DONE]" && !gjson.Valid(data)) {
			t.Fatalf("not an event: %q", event)
		}
		all = append(all, data)
	}
	return all
}

func TestWholeAndStreamed(t *testing.T) {
	url := start(t)
	says := map[string][2]string{
		"openai":    {"choices.0.message.content", "choices.0.delta.content"},
		"anthropic": {"content.0.text", "delta.text"},
	}
	for api, path := range paths {
		for _, content := range []string{"hello there", "\"é\" \\ <b>\n\x01", "", "two  spaces "} {
			t.Run(api, func(t *testing.T) {
				want := "You said: " + content
				whole := post(t.Context(), t, url+path, ask("m", content, false))
				if got := gjson.Get(whole.body, says[api][0]).String(); !gjson.Valid(whole.body) || got != want {
					t.Errorf("got %q, want %q: %s", got, want, whole.body)
				}
				streamed := post(t.Context(), t, url+path, ask("m", content, true))
				text := ""
				for _, event := range events(t, streamed.body) {
					text += gjson.Get(event, says[api][1]).String()
				}
				if text != want || streamed.header.Get("Content-Type") != "text/event-stream" {
					t.Errorf("streamed %q, want %q", text, want)
				}
				if again := post(t.Context(), t, url+path, ask("m", content, true)); again.body != streamed.body {
					t.Errorf("two answers:\n%s\n%s", streamed.body, again.body)
				}
			})
		}
	}
}

func TestFaults(t *testing.T) {
	url := start(t)
	tests := map[string]struct {
		statuses  []int // of the attempts with one prompt
		anthropic string
		retry     string // X-Should-Retry of the first
	}{
		"mock-unknown":      {[]int{404, 404}, "not_found_error", "false"},
		"mock-unauthorized": {[]int{401}, "authentication_error", "false"},
		"mock-rate-limit":   {[]int{429, 429}, "rate_limit_error", "false"},
		"mock-error":        {[]int{500, 500, 500}, "api_error", "false"},
		"mock-busy":         {[]int{429, 200, 200}, "rate_limit_error", ""},
		"mock-flaky":        {[]int{500, 500, 200, 200}, "api_error", ""},
		"mock-overloaded":   {[]int{503, 503, 503}, "overloaded_error", ""},
	}
	for api, path := range paths {
		for model, test := range tests {
			t.Run(api+" "+model, func(t *testing.T) {
				for i, want := range test.statuses {
					got := post(t.Context(), t, url+path, ask(model, api, false))
					if want == 503 && api == "anthropic" {
						want = overloaded
					}
					if got.status != want || !gjson.Valid(got.body) {
						t.Fatalf("attempt %d: %d, want %d: %s", i, got.status, want, got.body)
					}
					failed := gjson.Get(got.body, "error.message").String() != ""
					if failed != (want != 200) || failed && got.header.Get("X-Should-Retry") != test.retry {
						t.Errorf("attempt %d: header %v, body %s", i, got.header, got.body)
					}
					kind := gjson.Get(got.body, "error.type").String()
					if failed && api == "anthropic" && kind != test.anthropic {
						t.Errorf("type %s", kind)
					}
					if after := got.header.Get("Retry-After"); (after == "1") != (want == 429) {
						t.Errorf("Retry-After %q with %d", after, want)
					}
				}
			})
		}
		t.Run(api+" bad requests", func(t *testing.T) {
			for _, body := range []string{"", "{", "[]", "{}", `{"model":5}`} {
				if got := post(t.Context(), t, url+path, body); got.status != http.StatusBadRequest {
					t.Errorf("%q: %d", body, got.status)
				}
			}
		})
	}
}

func TestHangsAndBreaks(t *testing.T) {
	url := start(t)
	for api, path := range paths {
		for model, begins := range map[string]bool{"mock-hang": true, "mock-silent": false} {
			t.Run(api+" "+model, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				got := post(ctx, t, url+path, ask(model, "x", true))
				if !errors.Is(got.err, context.DeadlineExceeded) || strings.Contains(got.body, `"You "`) != begins {
					t.Errorf("got %q, %v", got.body, got.err)
				}
			})
		}
		t.Run(api+" truncated", func(t *testing.T) {
			whole := post(t.Context(), t, url+path, ask("mock-truncate", "x", false))
			if !errors.Is(whole.err, io.ErrUnexpectedEOF) {
				t.Errorf("whole: %q, %v", whole.body, whole.err)
			}
			got := post(t.Context(), t, url+path, ask("mock-truncate", "x", true)).body
			if !strings.Contains(got, `"You "`) || strings.Contains(got, "said") || strings.Contains(got, `stop"`) {
				t.Errorf("streamed: %q", got)
			}
		})
		t.Run(api+" pace", func(t *testing.T) {
			for _, stream := range []bool{true, false} {
				begin := time.Now()
				post(t.Context(), t, url+path, ask("mock-pace-30", "x", stream)) // three tokens
				if took := time.Since(begin); took < 90*time.Millisecond {
					t.Errorf("stream %t: %s", stream, took)
				}
			}
		})
	}
}

func TestEmbeddings(t *testing.T) {
	url := start(t) + "/embeddings"
	vector := func(body string) []float64 {
		got := post(t.Context(), t, url, body)
		var values []float64
		for _, value := range gjson.Get(got.body, "data.0.embedding").Array() {
			values = append(values, value.Float())
		}
		return values
	}
	of := func(text string) []float64 { return vector(fmt.Sprintf(`{"model":"m","input":%q}`, text)) }
	dot := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	cats := of("The cat sat on the mat.")
	if len(cats) != 1536 || math.Abs(dot(cats, cats)-1) > 1e-5 {
		t.Errorf("width %d, length %f", len(cats), dot(cats, cats))
	}
	near, far := dot(cats, of("on the mat, a CAT")), dot(cats, of("quarterly revenue grew strongly"))
	if near < 0.7 || far > 0.3 {
		t.Errorf("similarity of near texts %f, of far ones %f", near, far)
	}
	if got := vector(`{"model":"m","input":["!"],"dimensions":3}`); fmt.Sprint(got) != "[1 0 0]" {
		t.Errorf("no words: %v", got)
	}
	both := post(t.Context(), t, url, `{"model":"m","input":["a b","c"],"dimensions":8,"encoding_format":"base64"}`)
	plain := post(t.Context(), t, url, `{"model":"m","input":["a b","c"],"dimensions":8,"encoding_format":"float"}`)
	for i := range 2 {
		path := fmt.Sprintf("data.%d.embedding", i)
		raw, err := base64.StdEncoding.DecodeString(gjson.Get(both.body, path).String())
		if err != nil || len(raw) != 32 {
			t.Fatalf("%d bytes, %v", len(raw), err)
		}
		for j, want := range gjson.Get(plain.body, path).Array() {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:])); got != float32(want.Float()) {
				t.Errorf("%s[%d]: %f, want %s", path, j, got, want.Raw)
			}
		}
	}
	if gjson.Get(both.body, "usage.prompt_tokens").Int() != 3 || gjson.Get(both.body, "data.1.index").Int() != 1 {
		t.Errorf("got %s", both.body)
	}
	for _, body := range []string{
		`{"model":"m"}`, `{"model":"m","input":[]}`, `{"model":"m","input":""}`, `{"model":"m","input":[1]}`,
		`{"model":"m","input":"a","dimensions":0}`, `{"model":"m","input":"a","dimensions":1e9}`,
	} {
		if got := post(t.Context(), t, url, body); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d", body, got.status)
		}
	}
	if got := post(t.Context(), t, url, `{"model":"mock-error","input":"a"}`); got.status != 500 {
		t.Errorf("fault: %d", got.status)
	}
}

func BenchmarkChatCompletion(b *testing.B) {
	handler, body := Handler(), ask("mock", "hello there", false)
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
}
