package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/knowledge"
)

func TestDocuments(t *testing.T) {
	eachPath(t, func(t *testing.T, pool *pgxpool.Pool) {
		store := NewDocuments(pool)
		for name, test := range map[string]func(*testing.T, *Documents, string, string){
			"document": testDocument, "text": testDocumentText, "list": testDocumentList, "delete": testDeleteDocument,
			"all or nothing": testAllOrNothing, "cancelled": testCancelledPut, "other tenant": testDocumentOfOther,
			"search by text": testSearchText, "search by vector": testSearchVector,
		} {
			tenants := newTenants(t, pool, 2)
			t.Run(name, func(t *testing.T) { test(t, store, tenants[0], tenants[1]) })
		}
	})
}

// axis is a vector along one of the axes.
func axis(i int) []float32 {
	vector := make([]float32, knowledge.Dimensions)
	vector[i] = 1
	return vector
}

// newDocument makes a document with a chunk for each text, the vector of the i-th along the i-th axis.
func newDocument(t *testing.T, title string, texts ...string) (*knowledge.Document, []knowledge.Chunk) {
	t.Helper()
	content := strings.Join(texts, "\n\n")
	document := &knowledge.Document{
		ID: newID(t), Title: title, ContentType: knowledge.Markdown, Content: content, Bytes: len(content),
		Chunks: len(texts), CreatedAt: now(),
	}
	var chunks []knowledge.Chunk
	for i, text := range texts {
		chunk := knowledge.Chunk{ID: newID(t), Ordinal: i, Text: text, Embedding: axis(i % knowledge.Dimensions)}
		chunks = append(chunks, chunk)
	}
	return document, chunks
}

func put(t *testing.T, store *Documents, tenant, title string, texts ...string) *knowledge.Document {
	t.Helper()
	document, chunks := newDocument(t, title, texts...)
	check(t, store.PutDocument(t.Context(), tenant, document, chunks))
	return document
}

func numbered(n int) []string {
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprintf("passage %d", i))
	}
	return texts
}

func testDocument(t *testing.T, store *Documents, tenant, _ string) {
	for _, chunks := range []int{0, 1, putRows, putRows + 1, 3 * putRows} {
		want := put(t, store, tenant, "Guide", numbered(chunks)...)
		got, err := store.Document(t.Context(), tenant, want.ID)
		check(t, err)
		if !got.CreatedAt.Equal(want.CreatedAt) {
			t.Errorf("created: got %s, want %s", got.CreatedAt, want.CreatedAt)
		}
		got.CreatedAt = want.CreatedAt
		if *got != *want {
			t.Errorf("%d chunks: got %+v, want %+v", chunks, got, want)
		}
		if n := chunksOf(t, store, tenant, want.ID); n != chunks {
			t.Errorf("got %d chunks, want %d", n, chunks)
		}
	}
	for _, id := range []string{newID(t), "", "' OR true --"} {
		_, err := store.Document(t.Context(), tenant, id)
		wantProblem(t, err, "not_found")
		wantProblem(t, store.DeleteDocument(t.Context(), tenant, id), "not_found")
	}
}

func chunksOf(t *testing.T, store *Documents, tenant, id string) int {
	t.Helper()
	const sql = `SELECT count(*) FROM chunks WHERE document_id = @id::uuid`
	return count(t, store.pool, ofTenant(tenant), sql, pgx.NamedArgs{"id": id})
}

func testDocumentText(t *testing.T, store *Documents, tenant, _ string) {
	texts := map[string]string{"a\x00b": "a\uFFFDb", "\xffa\xc3": "\uFFFDa\uFFFD", `\u0000`: `\u0000`}
	for _, text := range awkward {
		texts[text] = text
	}
	for given, want := range texts {
		document, chunks := newDocument(t, given, given)
		chunks[0].Heading = given
		check(t, store.PutDocument(t.Context(), tenant, document, chunks))
		got, err := store.Document(t.Context(), tenant, document.ID)
		if err != nil || got.Title != want || got.Content != want {
			t.Errorf("document %q: got %+v, %v", given, got, err)
		}
		hits, err := store.SearchVector(t.Context(), tenant, axis(0), 1)
		if err != nil || len(hits) != 1 || hits[0].Title != want || hits[0].Heading != want ||
			hits[0].Text != want {
			t.Errorf("hit %q: got %+v, %v", given, hits, err)
		}
		check(t, store.DeleteDocument(t.Context(), tenant, document.ID))
	}
}

func testDocumentList(t *testing.T, store *Documents, tenant, other string) {
	put(t, store, other, "Other")
	var want, got []string
	for range 250 {
		want = append(want, put(t, store, tenant, "Guide").ID)
	}
	slices.Reverse(want)
	for before := ""; len(got) < len(want); before = got[len(got)-1] {
		found, err := store.Documents(t.Context(), tenant, 40, before)
		check(t, err)
		if len(found) == 0 || len(found) > 40 {
			t.Fatalf("got %d documents after %d", len(found), len(got))
		}
		for _, document := range found {
			got = append(got, document.ID)
		}
	}
	if !slices.Equal(got, want) {
		t.Error("the list is not newest first, or not complete")
	}
	written := put(t, store, tenant, "Guide", "long")
	found, err := store.Documents(t.Context(), tenant, 1, "")
	if err != nil || len(found) != 1 || found[0].ID != written.ID || found[0].Content != "" ||
		found[0].Chunks != 1 {
		t.Errorf("got %+v, %v; want the newest, without content", found, err)
	}
	_, err = store.Documents(t.Context(), tenant, 1, "no cursor")
	wantProblem(t, err, "invalid_value")
}

func testDeleteDocument(t *testing.T, store *Documents, tenant, _ string) {
	kept, deleted := put(t, store, tenant, "Kept", "apple"), put(t, store, tenant, "Deleted", numbered(100)...)
	check(t, store.DeleteDocument(t.Context(), tenant, deleted.ID))
	wantProblem(t, store.DeleteDocument(t.Context(), tenant, deleted.ID), "not_found")
	if n := chunksOf(t, store, tenant, deleted.ID); n != 0 {
		t.Errorf("%d chunks are left", n)
	}
	if n := wordRows(t, store, tenant); n != 1 {
		t.Errorf("%d rows of words are left, want that of the other document", n)
	}
	hits, err := store.SearchVector(t.Context(), tenant, axis(7), 10)
	if err != nil || len(hits) != 1 || hits[0].DocumentID != kept.ID {
		t.Errorf("got %+v, %v; want the other document only", hits, err)
	}
}

// wordRows counts the rows of chunk_words with "passage" or "apple" in them.
func wordRows(t *testing.T, store *Documents, tenant string) int {
	t.Helper()
	var n int
	check(t, pipeline(t.Context(), store.pool, ofTenant(tenant), statement{}, func(batch *pgx.Batch, _ bool) {
		batch.Queue(`SELECT set_config('app.search', 'passage or apple', true)`)
		batch.Queue(`SELECT count(*) FROM chunk_words`).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	}))
	return n
}

func testAllOrNothing(t *testing.T, store *Documents, tenant, _ string) {
	for name, spoil := range map[string]func(*knowledge.Chunk){
		"a vector too short":   func(c *knowledge.Chunk) { c.Embedding = c.Embedding[1:] },
		"a vector without end": func(c *knowledge.Chunk) { c.Embedding[0] /= 0 * c.Embedding[1] },
		"no id":                func(c *knowledge.Chunk) { c.ID = "" },
		"an ordinal twice":     func(c *knowledge.Chunk) { c.Ordinal = 0 },
	} {
		document, chunks := newDocument(t, "Guide", numbered(3*putRows)...)
		spoil(&chunks[2*putRows+5])
		if err := store.PutDocument(t.Context(), tenant, document, chunks); err == nil {
			t.Errorf("%s: no error", name)
		}
		wantNothing(t, store, tenant, document.ID)
	}
}

func wantNothing(t *testing.T, store *Documents, tenant, id string) {
	t.Helper()
	_, err := store.Document(t.Context(), tenant, id)
	wantProblem(t, err, "not_found")
	if chunks, words := chunksOf(t, store, tenant, id), wordRows(t, store, tenant); chunks != 0 || words != 0 {
		t.Errorf("%d chunks and %d rows of words are left", chunks, words)
	}
}

func testCancelledPut(t *testing.T, store *Documents, tenant, _ string) {
	document, chunks := newDocument(t, "Guide", numbered(20*putRows)...)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := store.PutDocument(ctx, tenant, document, chunks); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
	wantNothing(t, store, tenant, document.ID)
	check(t, store.PutDocument(t.Context(), tenant, document, chunks[:10]))
}

func testDocumentOfOther(t *testing.T, store *Documents, tenant, other string) {
	document := put(t, store, tenant, "Secret", "apple")
	_, err := store.Document(t.Context(), other, document.ID)
	wantProblem(t, err, "not_found")
	wantProblem(t, store.DeleteDocument(t.Context(), other, document.ID), "not_found")
	for _, s := range []scope{ofTenant(other), ofTenant(""), ofTenant("no id"), authentication} {
		for _, table := range []string{"documents", "chunks", "chunk_words"} {
			if n := count(t, store.pool, s, `SELECT count(*) FROM `+table, nil); n != 0 {
				t.Errorf("scope %v sees %d rows of %s", s, n, table)
			}
		}
		text, err := store.SearchText(t.Context(), s.value, "apple", 10)
		check(t, err)
		vector, err := store.SearchVector(t.Context(), s.value, axis(0), 10)
		if err != nil || len(text) != 0 || len(vector) != 0 {
			t.Errorf("scope %v finds %v and %v, %v", s, text, vector, err)
		}
	}
	if n := wordRows(t, store, other); n != 0 {
		t.Errorf("the other tenant sees %d rows of words", n)
	}
	wantRefused(t, store.pool, other, map[string]attack{
		"insert for another": {`
			INSERT INTO documents (tenant_id, id, title, content_type, content, bytes, chunks, created_at)
			VALUES (@tenant::uuid, @id::uuid, '', 'text/plain', '', 0, 0, now())`, byPolicy},
		"refer to another's": {`
			INSERT INTO chunks (tenant_id, id, document_id, ordinal, heading, text, embedding)
			SELECT @other::uuid, @id::uuid, @document::uuid, 9, '', '', array_fill(1, '{1536}')::vector`, byReference},
		"words for another": {`INSERT INTO chunk_words (tenant_id, chunk_id, words)
			VALUES (@tenant::uuid, @id::uuid, '')`, byPolicy},
		"update":       {`UPDATE documents SET title = 'stolen'`, noRow},
		"delete":       {`DELETE FROM chunks`, noRow},
		"delete words": {`DELETE FROM chunk_words`, noRow},
	}, pgx.NamedArgs{"tenant": tenant, "other": other, "document": document.ID, "id": newID(t)})
}
