package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"

	"agentstack/app/internal/testenv"
)

func (s *server) client(t *testing.T) openai.Client {
	t.Helper()
	return openai.NewClient(option.WithBaseURL(s.url+"/v1"), option.WithAPIKey(s.key(t)), option.WithMaxRetries(0))
}

func testEmbeddings(t *testing.T, _ *environment, s *server) {
	client := s.client(t)
	answer, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: "mock-embedding",
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"red fox", "fox red", "blue whale"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Data) != 3 || len(answer.Data[0].Embedding) != 1536 || answer.Usage.TotalTokens != 6 {
		t.Fatalf("%d vectors, usage %+v", len(answer.Data), answer.Usage)
	}
	product := func(other int) (sum float64) {
		for i, value := range answer.Data[0].Embedding {
			sum += value * answer.Data[other].Embedding[i]
		}
		return sum
	}
	if product(1) < 0.99 || product(2) > 0.5 {
		t.Errorf("products: same words %f, other words %f", product(1), product(2))
	}
	models, err := client.Models.List(t.Context())
	if err != nil || len(models.Data) == 0 || models.Data[0].Object != "model" {
		t.Errorf("models: %+v, error %v", models, err)
	}
	if model, err := client.Models.Get(t.Context(), "small"); err != nil || model.ID != "small" {
		t.Errorf("model: %+v, error %v", model, err)
	}
}

// testTools calls a tool by both protocols, whole and streamed, and gives its result back.
func testTools(t *testing.T, _ *environment, s *server) {
	client := s.client(t)
	for _, model := range []string{"mock-tool", "claude-tool"} {
		request := openai.ChatCompletionNewParams{
			Model:    model,
			Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("weather of " + model)},
			Tools: []openai.ChatCompletionToolUnionParam{
				openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
					Name: "weather", Parameters: shared.FunctionParameters{"type": "object"},
				}),
			},
		}
		completion, err := client.Chat.Completions.New(t.Context(), request)
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		stream := client.Chat.Completions.NewStreaming(t.Context(), request)
		var whole openai.ChatCompletionAccumulator
		for stream.Next() {
			whole.AddChunk(stream.Current())
		}
		if err := stream.Err(); err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		for how, choice := range map[string]openai.ChatCompletionChoice{
			"whole": completion.Choices[0], "streamed": whole.Choices[0],
		} {
			calls := choice.Message.ToolCalls
			if choice.FinishReason != "tool_calls" || len(calls) != 1 || calls[0].Function.Name != "weather" ||
				!strings.HasPrefix(calls[0].Function.Arguments, "{") || calls[0].ID == "" {
				t.Errorf("%s, %s: %s", model, how, choice.RawJSON())
			}
		}
		request.Model = strings.Replace(model, "-tool", "-weather", 1)
		call := completion.Choices[0].Message
		request.Messages = append(request.Messages, call.ToParam(), openai.ToolMessage("rain", call.ToolCalls[0].ID),
			openai.UserMessage("thanks"))
		after, err := client.Chat.Completions.New(t.Context(), request)
		if err != nil || after.Choices[0].Message.Content != "You said: thanks" {
			t.Errorf("%s with a tool's result: %+v, error %v", request.Model, after, err)
		}
	}
}

// TestProviderFallback: what the first provider of a model cannot answer, the second one does.
func TestProviderFallback(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	models := fmt.Sprintf(`{
		"providers": [
			{"name": "down", "kind": "openai", "baseUrl": "http://127.0.0.1:1/v1", "retries": 0},
			{"name": "mock", "kind": "openai", "baseUrl": "%[1]s/v1", "retries": 0},
			{"name": "claude", "kind": "anthropic", "baseUrl": "%[1]s", "retries": 0}
		],
		"models": [
			{"name": "unreachable", "routes": [{"provider": "down"}, {"provider": "claude", "model": "mock"}]},
			{"name": "failing", "routes": [
				{"provider": "mock", "model": "mock-error"}, {"provider": "claude", "model": "mock"}
			]},
			{"name": "lost", "routes": [{"provider": "down"}, {"provider": "down"}]}
		]
	}`, e.model.URL)
	s := e.start(t, map[string]string{"MODELS": models})
	s.waitReady(t)
	for _, model := range []string{"unreachable", "failing"} {
		for range 8 { // more than open a circuit breaker
			whole := s.chat(t, prompt(model, "whole "+model, false), "Cache-Control", "no-store")
			if whole.status != http.StatusOK || !strings.Contains(whole.body, "You said: whole "+model) {
				t.Errorf("%s: %d %s", model, whole.status, whole.body)
			}
		}
		streamed := strings.Join(s.openStream(t, prompt(model, "streamed", true), "fall-"+model).all(), "\n")
		if !strings.Contains(streamed, `"streamed"`) || !strings.HasSuffix(streamed, "[DONE]") {
			t.Errorf("%s streamed: %s", model, streamed)
		}
	}
	if calls := len(e.model.requestsWith(`"mock-error"`)); calls == 0 || calls > 6 {
		t.Errorf("the failing provider was called %d times in 9 requests; its breaker opens after 5", calls)
	}
	refusedBy := s.chat(t, prompt("lost", "x", false))
	_, code, _ := apiErrorOf(t, refusedBy.body)
	if refusedBy.status != http.StatusBadGateway || code != "model_unreachable" {
		t.Errorf("no provider left: %d %s", refusedBy.status, refusedBy.body)
	}
}

// TestThroughPgBouncer works over pooled connections that belong to nobody for longer than a transaction.
func TestThroughPgBouncer(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	s := e.start(t, map[string]string{"DATABASE_URL": testenv.NewPgBouncer(t, e.postgres).URL()})
	owner, stranger := s.signUp(t, "owner@example.com"), s.signUp(t, "stranger@example.com")
	t.Run("tenants", func(t *testing.T) {
		for range 4 {
			t.Run("at once", func(t *testing.T) {
				t.Parallel()
				testForeignIDs(t, owner, stranger)
			})
		}
	})
	if got := s.chat(t, prompt("m", "pooled", false), "X-Request-Id", "pooled-1"); got.status != http.StatusOK {
		t.Errorf("chat: %d %s", got.status, got.body)
	}
	if row := e.stored(t, "pooled-1"); row.Status != "completed" {
		t.Errorf("row: %+v", row)
	}
}
