// Package knowledge is the domain of retrieval: documents, their chunks, and search. It imports the standard
// library, agent and problem only.
package knowledge

import (
	"context"
	"time"
)

// Dimensions of every embedding; the column and its index have this width. It is that of OpenAI's
// text-embedding-3-small.
const Dimensions = 1536

// ContentType is the form of a document.
type ContentType string

// The forms.
const (
	PlainText ContentType = "text/plain"
	Markdown  ContentType = "text/markdown"
)

// Document is a text of a tenant.
type Document struct {
	ID, Title   string
	ContentType ContentType
	Content     string // not part of lists
	Bytes       int
	Chunks      int
	CreatedAt   time.Time
}

// Chunk is a passage of a document that is found as a whole.
type Chunk struct {
	ID        string
	Ordinal   int    // from 0
	Heading   string // path of Markdown headings, as in Install > Debian
	Text      string
	Embedding []float32
}

// Hit is a chunk that a search found.
type Hit struct {
	DocumentID, ChunkID, Title, Heading, Text string
	Ordinal                                   int
	Score                                     float64 // higher is better; comparable within one answer only
}

// Mode is a way to search.
type Mode string

// The modes. Hybrid merges the other two by reciprocal rank fusion.
const (
	Vector   Mode = "vector"
	FullText Mode = "text"
	Hybrid   Mode = "hybrid"
)

// Store keeps documents. What belongs to another tenant does not exist: a problem.NotFound.
type Store interface {
	// PutDocument stores a document with all its chunks, or nothing.
	PutDocument(ctx context.Context, tenant string, document *Document, chunks []Chunk) error
	Document(ctx context.Context, tenant, id string) (*Document, error)
	// Documents lists without content, newest first, up to limit; before is the id of the last one of the page before.
	Documents(ctx context.Context, tenant string, limit int, before string) ([]Document, error)
	DeleteDocument(ctx context.Context, tenant, id string) error
	// SearchVector finds the nearest chunks by cosine distance; the score is 1 - distance.
	SearchVector(ctx context.Context, tenant string, embedding []float32, limit int) ([]Hit, error)
	// SearchText finds chunks by full text; the query is in the syntax of websearch_to_tsquery.
	SearchText(ctx context.Context, tenant, query string, limit int) ([]Hit, error)
}

// Embedder turns texts into vectors of the width Dimensions.
type Embedder interface {
	EmbedTexts(ctx context.Context, texts []string) ([][]float32, error)
}
