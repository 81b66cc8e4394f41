//go:build e2e

package e2e

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

const requestTimeout = 10 * time.Second

// answer is what a chat request gave.
type answer struct {
	requestID, cache, text string
}

// apiKey is that of a tenant which signUp made.
var apiKey string

// call sends a request to the API's Service with a bearer token, and wants it to succeed. The answer, or the stream of
// events until its end, is text.
func call(method, path, bearer string, body any) (http.Header, []byte, error) {
	address, err := try("kubectl", "-n", namespace, "get", "service", "ai-agent-api",
		"-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return nil, nil, err
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, nil, fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequest(method, "http://"+address+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	client := http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
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

// callInto is call for an answer in JSON.
func callInto(method, path, bearer string, body, into any) error {
	_, content, err := call(method, path, bearer, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("decode answer of %s: %w", path, err)
	}
	return nil
}

// signUp makes a tenant with the token that the stack shows, logs in, and makes the key that the tests use.
func signUp(t *testing.T) {
	t.Helper()
	token := strings.TrimSpace(command(t, "pulumi", "stack", "output", "signupToken", "--show-secrets",
		"--stack", "local"))
	eventually(t, healTimeout, "a tenant has signed up", func() error {
		user := map[string]string{
			"email":    fmt.Sprintf("e2e-%d@example.com", time.Now().UnixNano()),
			"password": "not a secret of anybody",
			"tenant":   "end to end",
		}
		if _, _, err := call(http.MethodPost, "/v1/signup", token, user); err != nil {
			return err
		}
		delete(user, "tenant")
		var login struct {
			AccessToken string `json:"access_token"`
		}
		if err := callInto(http.MethodPost, "/v1/auth/login", "", user, &login); err != nil {
			return err
		}
		var made struct{ Key string }
		key := map[string]any{"name": "e2e", "scopes": []string{"chat", "agents", "knowledge"}}
		if err := callInto(http.MethodPost, "/v1/api-keys", login.AccessToken, key, &made); err != nil {
			return err
		}
		apiKey = made.Key
		return nil
	})
}

// chat sends one request through the API's Service.
func chat(message string) (answer, error) {
	header, content, err := call(http.MethodPost, "/v1/chat/completions", apiKey, map[string]any{
		"model": "mock", "messages": []map[string]string{{"role": "user", "content": message}},
	})
	if err != nil {
		return answer{}, err
	}
	var completion struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal(content, &completion); err != nil || len(completion.Choices) != 1 {
		return answer{}, fmt.Errorf("no completion in %s: %w", content, err)
	}
	return answer{
		requestID: header.Get("X-Request-Id"), cache: header.Get("X-Cache"),
		text: completion.Choices[0].Message.Content,
	}, nil
}

// answers waits until a chat request is answered and its row is in PostgreSQL, and returns the request's id.
func answers(t *testing.T) string {
	t.Helper()
	var got answer
	eventually(t, healTimeout, "the API answers and stores", func() error {
		var err error
		if got, err = chat(fmt.Sprintf("%s at %d", t.Name(), time.Now().UnixNano())); err != nil {
			return err
		}
		return stored(got.requestID)
	})
	return got.requestID
}

// stored says whether PostgreSQL holds the completed exchange of a request.
func stored(requestID string) error {
	primary, err := primary()
	if err != nil {
		return err
	}
	count, err := sql(primary,
		"SELECT count(*) FROM exchanges WHERE status = 'completed' AND request_id = '"+requestID+"'")
	if err == nil && count != "1" {
		err = fmt.Errorf("%s rows of request %s", count, requestID)
	}
	return err
}

func sql(pod, query string) (string, error) {
	output, err := try("kubectl", "-n", namespace, "exec", pod, "-c", "postgres", "--",
		"psql", "-U", "postgres", "-d", "ai_agent", "-tAc", query)
	return strings.TrimSpace(output), err
}

func primary() (string, error) {
	output, err := try("kubectl", "-n", namespace, "get", "cluster.postgresql.cnpg.io/ai-agent-db",
		"-o", "jsonpath={.status.currentPrimary}")
	return strings.TrimSpace(output), err
}
