package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func testOfficialClient(t *testing.T, _ *environment, s *server) {
	client := openai.NewClient(option.WithBaseURL(s.url+"/v1"), option.WithAPIKey(s.key(t)), option.WithMaxRetries(0))
	request := openai.ChatCompletionNewParams{
		Model:    "gpt-test",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("official client")},
	}
	completion, err := client.Chat.Completions.New(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if text := completion.Choices[0].Message.Content; text != "You said: official client" {
		t.Errorf("answer: %q", text)
	}
	if completion.Usage.TotalTokens != 6 {
		t.Errorf("usage: %+v", completion.Usage)
	}
	stream := client.Chat.Completions.NewStreaming(t.Context(), request)
	var whole openai.ChatCompletionAccumulator
	for stream.Next() {
		whole.AddChunk(stream.Current())
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if text := whole.Choices[0].Message.Content; text != "You said: official client" {
		t.Errorf("streamed answer: %q", text)
	}
	request.Model = "mock-truncate"
	broken := client.Chat.Completions.NewStreaming(t.Context(), request)
	for broken.Next() {
	}
	if err := broken.Err(); err == nil || !strings.Contains(err.Error(), "model server failed") {
		t.Errorf("a stream that broke off ended with error %v", err)
	}
	request.Model = "mock-unknown"
	_, err = client.Chat.Completions.New(t.Context(), request)
	var failure *openai.Error
	if !errors.As(err, &failure) || failure.StatusCode != 404 || failure.Code != "model_not_found" {
		t.Errorf("error: %v", err)
	}
}
