package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// browse starts a headless Chromium and records what its pages request.
func browse(t *testing.T) (ctx context.Context, requested func() []string) {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: run make deps", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1280, 1600))
	allocated, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var urls []string
	err = chromedp.Listen(ctx, func(event any) {
		if request, ok := event.(*network.EventRequestWillBeSent); ok {
			mu.Lock()
			defer mu.Unlock()
			urls = append(urls, request.Request.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return urls
	}
}

// css finds the first element of Swagger UI that a selector matches.
func css(selector string) chromedp.CSS { return chromedp.CSS(`.swagger-ui ` + selector) }

// press clicks a button once it is there. It does so by script, since a click at the button's place would miss it while
// the page unfolds.
func press(selector string) chromedp.Action[chromedp.Void] {
	script := fmt.Sprintf(`document.querySelector(%q).click()`, css(selector))
	return func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		if none, err = chromedp.WaitVisible(css(selector))(ctx, target); err == nil {
			_, err = chromedp.Evaluate[any](script)(ctx, target)
		}
		return none, err
	}
}

// testDocs reads /docs in a browser and sends a request from it.
func testDocs(t *testing.T, _ *environment, s *server) {
	ctx, requested := browse(t)
	const operation = `.opblock-get:has([data-path="/v1/models"]) `
	err := chromedp.Do(ctx,
		chromedp.Navigate(s.url+"/docs"),
		press(`.btn.authorize`),
		chromedp.SendKeys(css(`.auth-container input`), s.key(t)),
		press(`.auth-btn-wrapper .authorize`),
		press(`.btn-done`),
		press(operation+`.opblock-summary-control`),
		press(operation+`.execute`),
	)
	if err != nil {
		t.Fatal(err)
	}
	read := func(action chromedp.Action[string]) string {
		text, err := chromedp.Run(ctx, action)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(text)
	}
	if title := read(chromedp.Text(css(`.info .title`))); !strings.Contains(title, "AI agent API") {
		t.Errorf("title %q", title)
	}
	code := read(chromedp.Text(css(operation + `.live-responses-table tbody .response-col_status`)))
	if !strings.HasPrefix(code, "200") {
		t.Errorf("status %q of GET /v1/models", code)
	}
	shot(t, ctx)
	sent := false
	for _, address := range requested() {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Scheme != "data" && "http://"+parsed.Host != s.url {
			t.Errorf("the page loads %s", address)
		}
		sent = sent || parsed.Path == "/v1/models"
	}
	if !sent {
		t.Errorf("no request to /v1/models among %v", requested())
	}
	if got := s.get(t, "/docs"); got.status != http.StatusOK || got.header.Get("Content-Security-Policy") == "" {
		t.Errorf("/docs: %d, Content-Security-Policy %q", got.status, got.header.Get("Content-Security-Policy"))
	}
}

// shot keeps a picture of the page in the folder that AGENTSTACK_SCREENSHOTS names.
func shot(t *testing.T, ctx context.Context) {
	t.Helper()
	folder := os.Getenv("AGENTSTACK_SCREENSHOTS")
	if folder == "" {
		return
	}
	timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), waitTimeout)
	defer cancel()
	screenshot, err := chromedp.Run(timeout, chromedp.FullScreenshot(100))
	if err != nil {
		t.Errorf("screenshot: %v", err)
		return
	}
	if err := os.WriteFile(filepath.Join(folder, "docs.png"), screenshot, 0o600); err != nil {
		t.Error(err)
	}
}
