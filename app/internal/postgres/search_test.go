package postgres

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"agentstack/app/knowledge"
)

func testSearchText(t *testing.T, store *Documents, tenant, other string) {
	put(t, store, other, "Apples", "apples everywhere")
	document, chunks := newDocument(t, "Orchard handbook",
		"Apples are picked in September.", "Pears ripen later than apples.", "Wir ernten Äpfel im Herbst.",
		"The ladder is in the barn.", "Run install --force on Debian.")
	chunks[3].Heading = "Tools > Picking"
	check(t, store.PutDocument(t.Context(), tenant, document, chunks))
	for query, want := range map[string][]int{
		"When are apples picked?":     {0},
		"picking":                     {3, 0}, // the stem; a heading weighs more
		"pears or ladder":             {1, 3},
		"apples -pears":               {0},
		`"ripen later"`:               {1},
		"ÄPFEL":                       {2},
		"orchard ladder":              {3}, // of the title and the text
		"bananas":                     {},
		"the of and":                  {},
		"":                            {},
		`'; DELETE FROM chunks; -- "`: {},
		`:*&|!()<->\`:                 {},
		"apple\x00s \xff":             {},
	} {
		hits, err := store.SearchText(t.Context(), tenant, query, 10)
		check(t, err)
		got := []int{}
		for i, hit := range hits {
			got = append(got, hit.Ordinal)
			chunk := chunks[hit.Ordinal]
			if hit.ChunkID != chunk.ID || hit.Text != chunk.Text || hit.Heading != chunk.Heading || hit.Score <= 0 ||
				hit.DocumentID != document.ID || hit.Title != document.Title || i > 0 && hit.Score > hits[i-1].Score {
				t.Errorf("%q: got %+v", query, hit)
			}
		}
		if strings.Contains(query, " or ") {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got chunks %v, want %v", query, got, want)
		}
	}
	hits, err := store.SearchText(t.Context(), tenant, "picking", 1)
	if err != nil || len(hits) != 1 || hits[0].Ordinal != 3 {
		t.Errorf("got %+v, %v; want the best one only", hits, err)
	}
}

func testSearchVector(t *testing.T, store *Documents, tenant, other string) {
	put(t, store, other, "Other", "near")
	document, chunks := newDocument(t, "Guide", "same", "near", "right angle", "opposite", "zero")
	chunks[1].Embedding[0] = 1
	chunks[3].Embedding = make([]float32, knowledge.Dimensions)
	chunks[3].Embedding[0] = -1
	chunks[4].Embedding = make([]float32, knowledge.Dimensions)
	check(t, store.PutDocument(t.Context(), tenant, document, chunks))
	hits, err := store.SearchVector(t.Context(), tenant, axis(0), 10)
	check(t, err)
	want := []float64{1, math.Sqrt2 / 2, 0, -1}
	if len(hits) != len(want) {
		t.Fatalf("got %+v, want %d hits", hits, len(want))
	}
	for i, hit := range hits {
		if hit.Ordinal != i || hit.Text != chunks[i].Text || math.Abs(hit.Score-want[i]) > 1e-6 {
			t.Errorf("hit %d: got %+v, want score %f", i, hit, want[i])
		}
	}
	if hits, err = store.SearchVector(t.Context(), tenant, axis(0), 1); err != nil || len(hits) != 1 {
		t.Errorf("got %d hits, %v; want the limit", len(hits), err)
	}
	if hits, err = store.SearchVector(t.Context(), tenant, chunks[4].Embedding, 5); err != nil || len(hits) != 0 {
		t.Errorf("a vector of zeros finds %v, %v", hits, err)
	}
	_, err = store.SearchVector(t.Context(), tenant, []float32{1}, 1)
	wantProblem(t, err, "invalid_value")
}

// cloud makes vectors around a place, in a space of few dimensions, as embeddings of one subject are.
func cloud(random *rand.Rand, place float64, n int) [][]float32 {
	var vectors [][]float32
	for range n {
		vector := make([]float32, knowledge.Dimensions)
		for i := range 16 {
			vector[i*96] = float32(random.NormFloat64())
		}
		vector[0] += float32(place)
		vectors = append(vectors, vector)
	}
	return vectors
}

// putCloud stores documents of 500 chunks. The i-th chunk over all of them has the ordinal i, the i-th
// vector, and the words "common" and "word<i>".
func putCloud(t *testing.T, store *Documents, tenant string, vectors [][]float32) {
	t.Helper()
	const size = 500
	for first := 0; first < len(vectors); first += size {
		document, chunks := newDocument(t, "Cloud", numbered(min(size, len(vectors)-first))...)
		for i := range chunks {
			chunks[i].Ordinal, chunks[i].Embedding = first+i, vectors[first+i]
			chunks[i].Text = fmt.Sprintf("common word%d", first+i)
		}
		check(t, store.PutDocument(t.Context(), tenant, document, chunks))
	}
}

// exact returns the indexes of the nearest vectors.
func exact(vectors [][]float32, query []float32, limit int) []int {
	order := make([]int, len(vectors))
	distances := make([]float64, len(vectors))
	for i, vector := range vectors {
		var product, a, b float64
		for j := range vector {
			x, y := float64(vector[j]), float64(query[j])
			product, a, b = product+x*y, a+x*x, b+y*y
		}
		order[i], distances[i] = i, -product/math.Sqrt(a*b)
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(distances[i], distances[j]) })
	return order[:min(limit, len(order))]
}

// TestSearchInALargeTable has a tenant with 5 chunks behind nearly all of the 5,000 of another. They are not
// apart from them: an index of a cloud and five lone points may have no way from the one to the others.
func TestSearchInALargeTable(t *testing.T) {
	server := migrated(t)
	pool := open(t, server.URL())
	store, tenants := NewDocuments(pool), newTenants(t, pool, 2)
	random := rand.New(rand.NewPCG(1, 2))
	vectors := map[string][][]float32{tenants[0]: cloud(random, 6, 5000), tenants[1]: cloud(random, 2, 5)}
	// Building an index of many rows is faster than adding them one by one.
	var index string
	check(t, pool.QueryRow(t.Context(), `SELECT pg_get_indexdef('chunks_embedding_idx'::regclass)`).Scan(&index))
	execute(t, pool, `DROP INDEX chunks_embedding_idx`)
	for tenant, vectors := range vectors {
		putCloud(t, store, tenant, vectors)
	}
	execute(t, pool, index)
	execute(t, pool, `ANALYZE`)
	queries := cloud(random, 6, 20)
	// Without sorting, the order can only come from the index.
	indexOnly := open(t, server.URL()+"&options=-c%20enable_sort%3Doff%20-c%20jit%3Doff")
	for name, test := range map[string]struct {
		pool  *pgxpool.Pool
		small float64
	}{
		"planner's choice": {pool, 1},
		// An index is approximate: now and then, no way in it leads to one of the few.
		"index": {indexOnly, 0.6},
	} {
		t.Run(name, func(t *testing.T) {
			store := NewDocuments(test.pool)
			large, small := recall(t, store, tenants[0], vectors[tenants[0]], queries),
				recall(t, store, tenants[1], vectors[tenants[1]], queries)
			t.Logf("recall of the nearest 10 of 5,000: %.3f, of all 5 of the small tenant: %.3f", large, small)
			if large < 0.95 || small < test.small {
				t.Error("hits are lost")
			}
		})
	}
	wantPlan(t, indexOnly, tenants[1], vectors[tenants[1]][0], "chunks_embedding_idx")
	wantPlan(t, pool, tenants[0], queries[0], "chunks_embedding_idx", "chunk_words_words_idx")
	// The few rows of a small tenant are found by the tenant, and their order is exact.
	wantPlan(t, pool, tenants[1], queries[0], "chunks_ordinal_key", "chunk_words_pkey")
}

func execute(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), sql)
	check(t, err)
}

// recall is the share of the truly nearest that the store finds.
func recall(t *testing.T, store *Documents, tenant string, vectors, queries [][]float32) float64 {
	t.Helper()
	found, wanted := 0, 0
	for _, query := range queries {
		want := exact(vectors, query, 10)
		hits, err := store.SearchVector(t.Context(), tenant, query, 10)
		check(t, err)
		for _, hit := range hits {
			if slices.Contains(want, hit.Ordinal) {
				found++
			}
		}
		wanted += len(want)
	}
	return float64(found) / float64(wanted)
}

// wantPlan explains the statements of both searches and looks for indexes.
func wantPlan(t *testing.T, pool *pgxpool.Pool, tenant string, query []float32, indexes ...string) {
	t.Helper()
	var plan []string
	explain := func(batch *pgx.Batch, sql string, args pgx.NamedArgs) {
		batch.Queue(`EXPLAIN `+sql, args).Query(func(rows pgx.Rows) error {
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			plan = append(plan, lines...)
			return err
		})
	}
	check(t, pipeline(t.Context(), pool, ofTenant(tenant), statement{}, func(batch *pgx.Batch, _ bool) {
		batch.Queue(`SELECT set_config('app.search', 'word3', true)`)
		explain(batch, nearest, pgx.NamedArgs{"embedding": vectorLiteral(query), "limit": 10})
		explain(batch, matching, pgx.NamedArgs{"query": "word3", "limit": 10})
	}))
	text := strings.ReplaceAll(strings.Join(plan, "\n"), vectorLiteral(query), "[...]")
	for _, index := range indexes {
		if !strings.Contains(text, index) {
			t.Errorf("%s is not used:\n%s", index, text)
		}
	}
}
