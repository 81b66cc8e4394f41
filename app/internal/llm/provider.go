// Package llm calls model servers: those that speak OpenAI's API and those that speak Anthropic's, both through
// the official SDKs. A Router chooses among them by the model's name.
package llm

import (
	"time"

	"agentstack/app/agent"
)

// Provider is a model server.
type Provider interface {
	agent.Model
	agent.EmbeddingModel
}

// Options tell how to reach a model server.
type Options struct {
	Name    string        // of the provider, for traces
	BaseURL string        // up to and including the version, as in https://api.openai.com/v1
	APIKey  string        // empty for servers that need none
	Timeout time.Duration // of one attempt, for a whole answer
	// Retries after the first attempt, while no byte of an answer has come. They wait 0.5 s, 1 s, 2 s and so on
	// up to 8 s, less up to a quarter at random, or as long as the server asks for, up to maxRetryWait.
	Retries int
	Tracing bool // spans of each attempt, with the context sent on
}
