//go:build e2e

package cloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// API is the API as a client sees it: through the edge, with a key of a tenant of the test.
type API struct {
	Key string
	// Timeout of a request, its answer included.
	Timeout time.Duration
	Edge    Edge
	// Transport carries the requests; nil: each on a connection of its own.
	Transport http.RoundTripper
}

// Answer is what a chat request gave.
type Answer struct {
	RequestID, Cache, Text string
}

// ServiceAddress returns the cluster address of a Service. The host reaches it where AdmitHost, or no policy, lets it.
func ServiceAddress(namespace, name string) (string, error) {
	address, err := Try("kubectl", "-n", namespace, "get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
	return strings.TrimSpace(address), err
}

// SignUp makes a tenant with the token that the stack shows, logs in, and makes a key.
func SignUp(t *testing.T) *API {
	t.Helper()
	token := strings.TrimSpace(Command(t, "pulumi", "stack", "output", "signupToken", "--show-secrets",
		"--stack", "local"))
	edge, err := FindEdge()
	if err != nil {
		t.Fatal(err)
	}
	api := &API{Timeout: 10 * time.Second, Edge: edge}
	Eventually(t, HealTimeout, "a tenant has signed up", func() error {
		user := map[string]string{
			"email":    fmt.Sprintf("test-%d@example.com", time.Now().UnixNano()),
			"password": "not a secret of anybody",
			"tenant":   "end to end",
		}
		if _, _, err := api.Call(http.MethodPost, "/v1/signup", token, user); err != nil {
			return err
		}
		delete(user, "tenant")
		var login struct {
			AccessToken string `json:"access_token"`
		}
		if err := api.CallInto(http.MethodPost, "/v1/auth/login", "", user, &login); err != nil {
			return err
		}
		var made struct{ Key string }
		key := map[string]any{"name": "test", "scopes": []string{"chat", "agents", "knowledge"}}
		if err := api.CallInto(http.MethodPost, "/v1/api-keys", login.AccessToken, key, &made); err != nil {
			return err
		}
		api.Key = made.Key
		return nil
	})
	return api
}

// Call sends a request with a bearer token, and wants it to succeed. It returns the whole
// answer, or the stream of events until its end.
func (a *API) Call(method, path, bearer string, body any) (http.Header, []byte, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, nil, fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequest(method, "https://"+Host+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	client := http.Client{Timeout: a.Timeout, Transport: a.Transport}
	if client.Transport == nil {
		client.Transport = a.Edge.Transport()
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("send request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, content)
	}
	return resp.Header, content, nil
}

// CallInto is Call for an answer in JSON.
func (a *API) CallInto(method, path, bearer string, body, into any) error {
	_, content, err := a.Call(method, path, bearer, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("decode answer of %s: %w", path, err)
	}
	return nil
}

// Chat asks the mock model.
func (a *API) Chat(message string) (Answer, error) {
	header, content, err := a.Call(http.MethodPost, "/v1/chat/completions", a.Key, map[string]any{
		"model": "mock", "messages": []map[string]string{{"role": "user", "content": message}},
	})
	if err != nil {
		return Answer{}, err
	}
	var completion struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal(content, &completion); err != nil || len(completion.Choices) != 1 {
		return Answer{}, fmt.Errorf("no completion in %s: %w", content, err)
	}
	return Answer{
		RequestID: header.Get("X-Request-Id"), Cache: header.Get("X-Cache"),
		Text: completion.Choices[0].Message.Content,
	}, nil
}
