package knowledge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"agentstack/app/problem"
)

const (
	maxTitle   = 500      // characters
	maxContent = 10 << 20 // bytes
	// batchSize is how many texts are embedded in one call. At about 400 tokens each, a batch stays far below
	// the 300,000 tokens and 2,048 texts that OpenAI takes.
	batchSize = 128
)

// Service indexes and finds documents.
type Service struct {
	Store    Store
	Embedder Embedder
	// NewID returns UUIDv7s, each greater than the one before.
	NewID func() string
}

// Put indexes a document; when it returns, the document is found. An empty content type means plain text. Its
// errors are problems of the fields, or those of the embedder and the store.
func (s *Service) Put(
	ctx context.Context, tenant, title string, contentType ContentType, content string,
) (*Document, error) {
	if contentType == "" {
		contentType = PlainText
	}
	if err := check(title, contentType, content); err != nil {
		return nil, err
	}
	chunks := split(contentType, content)
	if len(chunks) == 0 {
		return nil, problem.InvalidField("content", "content must not be blank.")
	}
	if err := s.embed(ctx, title, chunks); err != nil {
		return nil, err
	}
	document := &Document{
		ID: s.NewID(), Title: title, ContentType: contentType, Content: content,
		Bytes: len(content), Chunks: len(chunks), CreatedAt: time.Now(),
	}
	for i := range chunks {
		chunks[i].ID = s.NewID()
	}
	if err := s.Store.PutDocument(ctx, tenant, document, chunks); err != nil {
		return nil, err
	}
	return document, nil
}

func check(title string, contentType ContentType, content string) error {
	switch {
	case strings.TrimSpace(title) == "" || utf8.RuneCountInString(title) > maxTitle:
		return problem.InvalidField("title", fmt.Sprintf("title must have 1 to %d characters.", maxTitle))
	case !storable(title):
		return problem.InvalidField("title", "title must be valid UTF-8 without NUL.")
	case contentType != PlainText && contentType != Markdown:
		return problem.InvalidField("content_type",
			fmt.Sprintf("content_type must be %s or %s.", PlainText, Markdown))
	case content == "" || len(content) > maxContent:
		return problem.InvalidField("content", fmt.Sprintf("content must have 1 to %d bytes.", maxContent))
	case !storable(content):
		return problem.InvalidField("content", "content must be valid UTF-8 without NUL.")
	default:
		return nil
	}
}

// storable tells whether the database can keep a string as text.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// embed sets the embeddings of chunks. What a chunk is about is often said by its title and headings only.
func (s *Service) embed(ctx context.Context, title string, chunks []Chunk) error {
	for batch := range slices.Chunk(chunks, batchSize) {
		texts := make([]string, len(batch))
		for i, chunk := range batch {
			texts[i] = title + "\n" + chunk.Heading + "\n\n" + chunk.Text
		}
		embeddings, err := s.embedTexts(ctx, texts)
		if err != nil {
			return err
		}
		for i := range batch {
			batch[i].Embedding = embeddings[i]
		}
	}
	return nil
}

func (s *Service) embedTexts(ctx context.Context, texts []string) ([][]float32, error) {
	embeddings, err := s.Embedder.EmbedTexts(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("embed texts: %w", err)
	}
	if len(embeddings) != len(texts) {
		return nil, fmt.Errorf("embed texts: got %d embeddings of %d texts", len(embeddings), len(texts))
	}
	for _, embedding := range embeddings {
		if len(embedding) != Dimensions {
			return nil, fmt.Errorf("embed texts: got %d dimensions, want %d", len(embedding), Dimensions)
		}
	}
	return embeddings, nil
}

// Document returns a document.
func (s *Service) Document(ctx context.Context, tenant, id string) (*Document, error) {
	return s.Store.Document(ctx, tenant, id)
}

// Documents lists documents without their content, newest first, up to limit, which the store may exceed by
// one; before is the id of the last one of the page before.
func (s *Service) Documents(ctx context.Context, tenant string, limit int, before string) ([]Document, error) {
	return s.Store.Documents(ctx, tenant, limit, before)
}

// Delete removes a document with its chunks.
func (s *Service) Delete(ctx context.Context, tenant, id string) error {
	return s.Store.DeleteDocument(ctx, tenant, id)
}
