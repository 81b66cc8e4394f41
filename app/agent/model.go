package agent

import (
	"context"
	"encoding/json"
)

// ModelSpec is a model that clients may ask for.
type ModelSpec struct {
	// Name as clients write it. A trailing * stands for any rest; the exact name, then the longest prefix, wins.
	Name string `json:"name"`
	// Routes are tried in order: the next one when the one before is down or its circuit breaker is open.
	Routes []Route `json:"routes"`
	// ContextTokens bounds prompt and answer together. Default 128000.
	ContextTokens int `json:"contextTokens"`
	// InputPrice and OutputPrice are in USD per million tokens. Default 0: cost is not counted.
	InputPrice  float64 `json:"inputPrice"`
	OutputPrice float64 `json:"outputPrice"`
}

// Route leads to a model of a provider.
type Route struct {
	// Provider is the name of a configured provider.
	Provider string `json:"provider"`
	// Model as the provider names it. Default: the name that the client asked for.
	Model string `json:"model"`
}

// Catalog knows the models that clients may ask for.
type Catalog interface {
	// Model returns the specification that serves a name, with Name as the client wrote it.
	Model(name string) (ModelSpec, bool)
	// Models lists the names without a wildcard, sorted.
	Models() []ModelSpec
}

// EmbeddingRequest is an embeddings request in OpenAI's shape.
type EmbeddingRequest struct {
	Model string
	// Body is the client's JSON object. Fields that this package does not know are part of it.
	Body json.RawMessage
}

// EmbeddingAnswer is the provider's JSON, to be sent on unchanged, and what it costs.
type EmbeddingAnswer struct {
	Body  []byte
	Usage *Usage
}

// EmbeddingModel calls the embeddings of a model server. Its errors are as those of Model.
type EmbeddingModel interface {
	Embed(ctx context.Context, request *EmbeddingRequest) (*EmbeddingAnswer, error)
}
