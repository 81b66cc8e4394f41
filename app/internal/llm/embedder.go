package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"agentstack/app/agent"
	"agentstack/app/knowledge"
)

// embeddingBatch is how many texts go into one request. OpenAI takes 2048, but no more than 300,000 tokens in
// all: see https://platform.openai.com/docs/api-reference/embeddings/create.
const embeddingBatch = 128

// Embedder turns texts into vectors by a model. It implements knowledge.Embedder.
type Embedder struct {
	model agent.EmbeddingModel
	name  string
}

// NewEmbedder returns an embedder by the model of that name.
func NewEmbedder(model agent.EmbeddingModel, name string) *Embedder {
	return &Embedder{model, name}
}

// EmbedTexts implements knowledge.Embedder.
func (e *Embedder) EmbedTexts(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, 0, len(texts))
	for batch := range slices.Chunk(texts, embeddingBatch) {
		part, err := e.embed(ctx, batch)
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, part...)
	}
	return vectors, nil
}

func (e *Embedder) embed(ctx context.Context, texts []string) ([][]float32, error) {
	body, err := json.Marshal(map[string]any{
		"model": e.name, "input": texts, "dimensions": knowledge.Dimensions, "encoding_format": "float",
	})
	if err != nil {
		return nil, fmt.Errorf("encode texts: %w", err)
	}
	answer, err := e.model.Embed(ctx, &agent.EmbeddingRequest{Model: e.name, Body: body})
	if err != nil {
		return nil, err
	}
	return parseEmbeddings(answer.Body, len(texts))
}

// parseEmbeddings returns one vector for each of count texts, in their order.
func parseEmbeddings(body []byte, count int) ([][]float32, error) {
	var answer struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, protocolError("the answer is not the JSON of embeddings")
	}
	if len(answer.Data) != count {
		return nil, protocolError(fmt.Sprintf("%d embeddings for %d texts", len(answer.Data), count))
	}
	vectors := make([][]float32, count)
	for _, item := range answer.Data {
		if item.Index < 0 || item.Index >= count || vectors[item.Index] != nil {
			return nil, protocolError(fmt.Sprintf("embedding with index %d among %d", item.Index, count))
		}
		if len(item.Embedding) != knowledge.Dimensions {
			return nil, protocolError(fmt.Sprintf(
				"an embedding of width %d, want %d", len(item.Embedding), knowledge.Dimensions))
		}
		vectors[item.Index] = item.Embedding
	}
	return vectors, nil
}
