package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/knowledge"
)

const (
	// putTimeout bounds the transaction that stores a document with all its chunks.
	putTimeout = time.Minute
	// putRows is the number of chunks per statement: about 1 MiB with their vectors.
	putRows = 64
)

// Documents is a knowledge.Store. Text that PostgreSQL cannot hold, U+0000 and invalid UTF-8, is stored with
// U+FFFD in its place.
type Documents struct {
	pool *pgxpool.Pool
}

// NewDocuments returns a store in the tables documents, chunks and chunk_words.
func NewDocuments(pool *pgxpool.Pool) *Documents { return &Documents{pool: pool} }

// PutDocument implements knowledge.Store. Rows go by INSERT, since COPY refuses tables with row-level
// security.
func (d *Documents) PutDocument(
	ctx context.Context, tenant string, document *knowledge.Document, chunks []knowledge.Chunk,
) error {
	put := func(ctx context.Context, connection *pgxpool.Conn, again bool) error {
		return pgx.BeginFunc(ctx, connection, func(tx pgx.Tx) error {
			sql, args := ofTenant(tenant).settings(again)
			if _, err := tx.Exec(ctx, sql, args...); err != nil {
				return err
			}
			switch added, err := insertDocument(ctx, tx, tenant, document, len(chunks)); {
			case err != nil:
				return err
			case !added && again: // it was committed before, with all chunks
				return nil
			case !added:
				return fmt.Errorf("document %s exists", document.ID)
			}
			for part := range slices.Chunk(chunks, putRows) {
				if err := insertChunks(ctx, tx, tenant, document, part); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return statement{what: "document"}.retry(ctx, d.pool, putTimeout, put)
}

func insertDocument(
	ctx context.Context, tx pgx.Tx, tenant string, document *knowledge.Document, chunks int,
) (added bool, err error) {
	tag, err := tx.Exec(ctx, `
INSERT INTO documents (tenant_id, id, title, content_type, content, bytes, chunks, created_at)
VALUES (@tenant::uuid, @id::uuid, @title, @content_type, @content, @bytes, @chunks, @created_at)
ON CONFLICT (tenant_id, id) DO NOTHING`, pgx.NamedArgs{
		"tenant": tenant, "id": document.ID, "title": plain(document.Title),
		"content_type": string(document.ContentType), "content": plain(document.Content), "bytes": document.Bytes,
		"chunks": chunks, "created_at": document.CreatedAt,
	})
	return tag.RowsAffected() > 0, err
}

func insertChunks(
	ctx context.Context, tx pgx.Tx, tenant string, document *knowledge.Document, chunks []knowledge.Chunk,
) error {
	var ids, headings, texts, embeddings []string
	var ordinals []int32
	for _, chunk := range chunks {
		ids, ordinals = append(ids, chunk.ID), append(ordinals, int32(chunk.Ordinal))
		headings, texts = append(headings, plain(chunk.Heading)), append(texts, plain(chunk.Text))
		embeddings = append(embeddings, vectorLiteral(chunk.Embedding))
	}
	_, err := tx.Exec(ctx, `
WITH added AS (
    INSERT INTO chunks (tenant_id, document_id, id, ordinal, heading, text, embedding)
    SELECT @tenant::uuid, @document::uuid, id, ordinal, heading, text, embedding::vector
    FROM unnest(@ids::text[]::uuid[], @ordinals::int[], @headings::text[], @texts::text[], @embeddings::text[])
        AS given (id, ordinal, heading, text, embedding)
    RETURNING id, heading, text
)
INSERT INTO chunk_words (tenant_id, chunk_id, words)
SELECT @tenant::uuid, id, setweight(to_tsvector('english', @title::text), 'A')
    || setweight(to_tsvector('english', heading), 'B') || to_tsvector('english', text)
FROM added`, pgx.NamedArgs{
		"tenant": tenant, "document": document.ID, "title": plain(document.Title), "ids": ids,
		"ordinals": ordinals, "headings": headings, "texts": texts, "embeddings": embeddings,
	})
	return err
}

// Document implements knowledge.Store.
func (d *Documents) Document(ctx context.Context, tenant, id string) (*knowledge.Document, error) {
	return byID(ctx, d.pool, tenant, "document", id, `
SELECT id, title, content_type, content, bytes, chunks, created_at FROM documents WHERE id = @id::uuid`, scanDocument)
}

// Documents implements knowledge.Store.
func (d *Documents) Documents(
	ctx context.Context, tenant string, limit int, before string,
) ([]knowledge.Document, error) {
	before, err := cursor(before)
	if err != nil {
		return nil, err
	}
	return list(ctx, d.pool, ofTenant(tenant), statement{
		what: "documents", args: pgx.NamedArgs{"before": before, "limit": limit}, sql: `
SELECT id, title, content_type, '' AS content, bytes, chunks, created_at FROM documents
WHERE id < @before::uuid ORDER BY id DESC LIMIT @limit`,
	}, scanDocument)
}

func scanDocument(row pgx.CollectableRow) (d knowledge.Document, err error) {
	err = row.Scan(&d.ID, &d.Title, &d.ContentType, &d.Content, &d.Bytes, &d.Chunks, &d.CreatedAt)
	return d, err
}

// DeleteDocument implements knowledge.Store.
func (d *Documents) DeleteDocument(ctx context.Context, tenant, id string) error {
	const what = "document"
	if err := checkID(what, id); err != nil {
		return err
	}
	return change(ctx, d.pool, ofTenant(tenant), statement{
		what: what, spent: true, args: pgx.NamedArgs{"id": id}, sql: `DELETE FROM documents WHERE id = @id::uuid`,
	})
}

// vectorLiteral writes a vector as pgvector reads it.
func vectorLiteral(vector []float32) string {
	text := make([]byte, 0, 12*len(vector)+2)
	text = append(text, '[')
	for i, value := range vector {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendFloat(text, float64(value), 'g', -1, 32)
	}
	return string(append(text, ']'))
}
