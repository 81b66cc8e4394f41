package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"agentstack/app/knowledge"
)

// minCandidates is how many nearest chunks the index keeps in view at least (hnsw.ef_search; pgvector's
// default is 40): more finds more of the truly nearest, at more time.
const minCandidates = 100

// nearest joins titles after the limit, so that the index on embeddings gives the order.
const nearest = `
WITH found AS MATERIALIZED (
    SELECT document_id, id, heading, text, ordinal, embedding <=> @embedding::vector AS distance
    FROM chunks ORDER BY embedding <=> @embedding::vector LIMIT @limit
)
SELECT found.document_id, found.id, documents.title, found.heading, found.text, found.ordinal, 1 - found.distance
FROM found JOIN documents ON documents.id = found.document_id
WHERE found.distance <> 'NaN' -- that of a vector of zeros
ORDER BY found.distance, found.id`

// matching has no condition: the policy of chunk_words selects by the setting app.search, as
// migrations/00005_documents.sql explains.
const matching = `
WITH found AS MATERIALIZED (
    SELECT chunk_id, ts_rank(words, websearch_to_tsquery('english', @query::text)) AS score
    FROM chunk_words ORDER BY score DESC, chunk_id LIMIT @limit
)
SELECT chunks.document_id, chunks.id, documents.title, chunks.heading, chunks.text, chunks.ordinal, found.score
FROM found JOIN chunks ON chunks.id = found.chunk_id JOIN documents ON documents.id = chunks.document_id
ORDER BY found.score DESC, chunks.id`

// SearchVector implements knowledge.Store. The index has the chunks of all tenants. It is read in order of
// distance until enough of the tenant's are found: without the iterative scan, they would be lost behind
// nearer ones of others.
func (d *Documents) SearchVector(
	ctx context.Context, tenant string, embedding []float32, limit int,
) ([]knowledge.Hit, error) {
	// 1000 is the most that pgvector takes.
	candidates := strconv.Itoa(min(max(minCandidates, 2*limit), 1000))
	return d.search(ctx, tenant, func(batch *pgx.Batch) *pgx.QueuedQuery {
		batch.Queue(`SELECT set_config('hnsw.iterative_scan', 'strict_order', true),
			set_config('hnsw.ef_search', $1, true)`, candidates)
		return batch.Queue(nearest, pgx.NamedArgs{"embedding": vectorLiteral(embedding), "limit": limit})
	})
}

// SearchText implements knowledge.Store. Words of the title weigh more than those of headings, and those more
// than words of the text.
func (d *Documents) SearchText(ctx context.Context, tenant, query string, limit int) ([]knowledge.Hit, error) {
	query = plain(query)
	return d.search(ctx, tenant, func(batch *pgx.Batch) *pgx.QueuedQuery {
		batch.Queue(`SELECT set_config('app.search', $1, true)`, query)
		return batch.Queue(matching, pgx.NamedArgs{"query": query, "limit": limit})
	})
}

func (d *Documents) search(
	ctx context.Context, tenant string, queue func(*pgx.Batch) *pgx.QueuedQuery,
) (hits []knowledge.Hit, err error) {
	err = pipeline(ctx, d.pool, ofTenant(tenant), statement{what: "documents"}, func(batch *pgx.Batch, _ bool) {
		queue(batch).Query(func(rows pgx.Rows) (err error) {
			hits, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (h knowledge.Hit, err error) {
				err = row.Scan(&h.DocumentID, &h.ChunkID, &h.Title, &h.Heading, &h.Text, &h.Ordinal, &h.Score)
				return h, err
			})
			return err
		})
	})
	return hits, err
}
