package knowledge

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

const (
	maxQuery = 8 << 10 // bytes
	maxLimit = 50
	// candidates is how many hits each search contributes to a hybrid one, as a multiple of the limit.
	candidates = 4
	// rankConstant is k of reciprocal rank fusion, as in Cormack, Clarke and Büttcher, "Reciprocal rank
	// fusion outperforms Condorcet and individual rank learning methods", SIGIR 2009.
	rankConstant = 60
	// passages is how many hits go to an agent.
	passages = 5
)

// Search finds chunks, best first. An empty mode means hybrid. Its errors are problems of query (1 byte to 8
// KiB), mode and limit (1 to 50), or those of the embedder and the store.
func (s *Service) Search(ctx context.Context, tenant, query string, mode Mode, limit int) ([]Hit, error) {
	switch {
	case strings.TrimSpace(query) == "" || len(query) > maxQuery:
		return nil, problem.InvalidField("query",
			fmt.Sprintf("query must have 1 to %d bytes and not be blank.", maxQuery))
	case !storable(query):
		return nil, problem.InvalidField("query", "query must be valid UTF-8 without NUL.")
	case limit < 1 || limit > maxLimit:
		return nil, problem.InvalidField("limit", fmt.Sprintf("limit must be from 1 to %d.", maxLimit))
	}
	switch mode {
	case Vector:
		return s.searchVector(ctx, tenant, query, limit)
	case FullText:
		return s.Store.SearchText(ctx, tenant, query, limit)
	case Hybrid, "":
		return s.searchBoth(ctx, tenant, query, limit)
	default:
		return nil, problem.InvalidField("mode",
			fmt.Sprintf("mode must be %s, %s or %s.", Hybrid, Vector, FullText))
	}
}

// Retrieve implements agent.Retriever. Of a long question it uses the first 8 KiB.
func (s *Service) Retrieve(ctx context.Context, tenant, question string) ([]agent.Citation, error) {
	hits, err := s.Search(ctx, tenant, firstBytes(question, maxQuery), Hybrid, passages)
	if err != nil {
		return nil, err
	}
	citations := make([]agent.Citation, len(hits))
	for i, hit := range hits {
		citations[i] = agent.Citation{
			Number: i + 1, DocumentID: hit.DocumentID, ChunkID: hit.ChunkID, Title: hit.Title, Excerpt: hit.Text,
			Score: hit.Score,
		}
	}
	return citations, nil
}

func (s *Service) searchVector(ctx context.Context, tenant, query string, limit int) ([]Hit, error) {
	embeddings, err := s.embedTexts(ctx, []string{query})
	if err != nil {
		return nil, err
	}
	return s.Store.SearchVector(ctx, tenant, embeddings[0], limit)
}

// searchBoth runs both searches at once, since the embedding of the query takes longest.
func (s *Service) searchBoth(ctx context.Context, tenant, query string, limit int) ([]Hit, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var byText []Hit
	failure := make(chan error, 1)
	go func() {
		var err error
		byText, err = s.Store.SearchText(ctx, tenant, query, candidates*limit)
		failure <- err
	}()
	byVector, err := s.searchVector(ctx, tenant, query, candidates*limit)
	if err != nil {
		return nil, err
	}
	if err := <-failure; err != nil {
		return nil, err
	}
	hits := fuse(byVector, byText)
	return hits[:min(limit, len(hits))], nil
}

// fuse merges rankings by reciprocal rank fusion: scores of different searches cannot be compared, ranks can.
func fuse(rankings ...[]Hit) []Hit {
	merged := map[string]Hit{}
	for _, ranking := range rankings {
		for i, hit := range ranking {
			hit.Score = merged[hit.ChunkID].Score + 1/float64(rankConstant+i+1)
			merged[hit.ChunkID] = hit
		}
	}
	return slices.SortedFunc(maps.Values(merged), func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ChunkID, b.ChunkID))
	})
}

// firstBytes returns at most limit bytes of a text, of whole runes.
func firstBytes(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
