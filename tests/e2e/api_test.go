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

// chat sends one request through the API's Service.
func chat(message string) (answer, error) {
	address, err := try("kubectl", "-n", namespace, "get", "service", "ai-agent-api",
		"-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return answer{}, err
	}
	body, err := json.Marshal(map[string]any{
		"model": "mock", "messages": []map[string]string{{"role": "user", "content": message}},
	})
	if err != nil {
		return answer{}, fmt.Errorf("encode request: %w", err)
	}
	client := http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+address+"/v1/chat/completions", "application/json", bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("send request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	var completion struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("%s: %s", resp.Status, content)
	}
	if err := json.Unmarshal(content, &completion); err != nil || len(completion.Choices) != 1 {
		return answer{}, fmt.Errorf("no completion in %s: %w", content, err)
	}
	return answer{
		requestID: resp.Header.Get("X-Request-Id"), cache: resp.Header.Get("X-Cache"),
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
