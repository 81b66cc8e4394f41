package knowledge

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"agentstack/app/agent"
	"agentstack/app/problem"
)

var _ agent.Retriever = (*Service)(nil)

// fake is a store and an embedder.
type fake struct {
	Store

	mu            sync.Mutex
	batches       [][]string
	width         int
	stored        []Chunk
	document      *Document
	vector, text  []Hit
	lost          error // of embeddings
	textLost      error
	limits        []int
	queries       []string
	meet          chan struct{} // if not nil, both searches wait for each other
	vectorsCut    int
	askedByTenant string
}

func (f *fake) EmbedTexts(ctx context.Context, texts []string) ([][]float32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches = append(f.batches, texts)
	vectors := make([][]float32, len(texts)-f.vectorsCut)
	for i := range vectors {
		vectors[i] = make([]float32, f.width)
	}
	return vectors, errors.Join(f.lost, ctx.Err())
}

func (f *fake) PutDocument(_ context.Context, _ string, document *Document, chunks []Chunk) error {
	f.document, f.stored = document, chunks
	return nil
}

func (f *fake) SearchVector(_ context.Context, tenant string, _ []float32, limit int) ([]Hit, error) {
	if f.meet != nil {
		f.meet <- struct{}{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limits, f.askedByTenant = append(f.limits, limit), tenant
	return f.vector, nil
}

func (f *fake) SearchText(_ context.Context, _, query string, limit int) ([]Hit, error) {
	if f.meet != nil {
		<-f.meet
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limits, f.queries = append(f.limits, limit), append(f.queries, query)
	return f.text, f.textLost
}

func newService() (*Service, *fake) {
	f, ids := &fake{width: Dimensions}, 0
	return &Service{Store: f, Embedder: f, NewID: func() string { ids++; return fmt.Sprint("id", ids) }}, f
}

func checkInvalid(t *testing.T, err error, param string) {
	t.Helper()
	var got *problem.Error
	if !errors.As(err, &got) || got.Kind != problem.Invalid || got.Param != param {
		t.Errorf("got %v, want an invalid %s", err, param)
	}
}

func TestPut(t *testing.T) {
	service, f := newService()
	text := strings.Repeat("# Heading\n"+strings.Repeat("text ", 100)+"\n", 300)
	document, err := service.Put(t.Context(), "tenant", "Title", Markdown, text)
	if err != nil {
		t.Fatal(err)
	}
	if document != f.document || document.Chunks != 300 || document.Bytes != len(text) ||
		document.Content != text {
		t.Errorf("stored %d chunks, %d bytes", document.Chunks, document.Bytes)
	}
	if len(f.batches) != 3 || len(f.batches[0]) != batchSize ||
		!strings.HasPrefix(f.batches[2][0], "Title\nHeading\n\n# Heading\ntext") {
		t.Errorf("%d batches", len(f.batches))
	}
	ids := map[string]bool{document.ID: true}
	for _, chunk := range f.stored {
		ids[chunk.ID] = true
		if len(chunk.Embedding) != Dimensions {
			t.Fatalf("chunk %d has no embedding", chunk.Ordinal)
		}
	}
	if len(ids) != 301 || ids[""] {
		t.Errorf("%d ids of a document and 300 chunks", len(ids))
	}
	document, err = service.Put(t.Context(), "tenant", "Title", "", "x")
	if err != nil || document.ContentType != PlainText {
		t.Errorf("without a type: %+v, %v", document, err)
	}
}

func TestPutRefuses(t *testing.T) {
	for name, test := range map[string]struct{ title, contentType, content, param string }{
		"no title":          {"", "", "x", "title"},
		"blank title":       {" ", "", "x", "title"},
		"long title":        {strings.Repeat("é", 501), "", "x", "title"},
		"title with NUL":    {"a\x00", "", "x", "title"},
		"unknown type":      {"t", "text/html", "x", "content_type"},
		"no content":        {"t", "", "", "content"},
		"blank content":     {"t", "", " \n", "content"},
		"content not UTF-8": {"t", "", "\xff", "content"},
		"content with NUL":  {"t", "", "a\x00", "content"},
		"too large":         {"t", "", strings.Repeat("x", maxContent+1), "content"},
	} {
		t.Run(name, func(t *testing.T) {
			service, f := newService()
			_, err := service.Put(t.Context(), "tenant", test.title, ContentType(test.contentType), test.content)
			checkInvalid(t, err, test.param)
			if f.document != nil || f.batches != nil {
				t.Error("something was done")
			}
		})
	}
}

func TestPutNeedsItsEmbeddings(t *testing.T) {
	for name, breakIt := range map[string]func(*fake){
		"lost":      func(f *fake) { f.lost = errors.New("lost") },
		"too few":   func(f *fake) { f.vectorsCut = 1 },
		"too short": func(f *fake) { f.width = 3 },
	} {
		service, f := newService()
		breakIt(f)
		if _, err := service.Put(t.Context(), "tenant", "t", "", "x"); err == nil || f.document != nil {
			t.Errorf("%s: stored %v, %v", name, f.document, err)
		}
	}
}

func TestSearch(t *testing.T) {
	hit := func(id string) Hit { return Hit{ChunkID: id, Title: "T", Text: "text " + id} }
	ids := func(hits []Hit) (ids []string) {
		for _, hit := range hits {
			ids = append(ids, hit.ChunkID)
		}
		return ids
	}
	for name, test := range map[string]struct {
		mode   Mode
		limit  int
		want   []string
		limits []int
	}{
		"vector": {Vector, 2, []string{"a", "b", "c"}, []int{2}},
		"text":   {FullText, 2, []string{"b", "d"}, []int{2}},
		// b: 1/62+1/61, a: 1/61, d: 1/62, c: 1/63
		"hybrid":  {Hybrid, 50, []string{"b", "a", "d", "c"}, []int{200, 200}},
		"default": {"", 3, []string{"b", "a", "d"}, []int{12, 12}},
	} {
		t.Run(name, func(t *testing.T) {
			service, f := newService()
			f.vector, f.text = []Hit{hit("a"), hit("b"), hit("c")}, []Hit{hit("b"), hit("d")}
			if len(test.limits) == 2 {
				f.meet = make(chan struct{})
			}
			hits, err := service.Search(t.Context(), "tenant", "question", test.mode, test.limit)
			if err != nil || !slices.Equal(ids(hits), test.want) || !slices.Equal(f.limits, test.limits) {
				t.Errorf("got %v, searched up to %v, %v; want %v, %v",
					ids(hits), f.limits, err, test.want, test.limits)
			}
			if name == "hybrid" && math.Abs(hits[0].Score-(1.0/62+1.0/61)) > 1e-12 {
				t.Errorf("score %v", hits[0].Score)
			}
		})
	}
}

func TestSearchFails(t *testing.T) {
	service, f := newService()
	for name, test := range map[string]struct {
		query, param string
		mode         Mode
		limit        int
	}{
		"blank":     {" ", "query", Hybrid, 1},
		"too long":  {strings.Repeat("x", maxQuery+1), "query", Hybrid, 1},
		"NUL":       {"a\x00", "query", FullText, 1},
		"no UTF-8":  {"\xff", "query", Vector, 1},
		"mode":      {"x", "mode", "x", 1},
		"limit 0":   {"x", "limit", Hybrid, 0},
		"limit 51":  {"x", "limit", Hybrid, 51},
		"neg limit": {"x", "limit", Vector, -1},
	} {
		_, err := service.Search(t.Context(), "tenant", test.query, test.mode, test.limit)
		t.Run(name, func(t *testing.T) { checkInvalid(t, err, test.param) })
	}
	f.textLost = errors.New("lost")
	if _, err := service.Search(t.Context(), "tenant", "x", Hybrid, 1); !errors.Is(err, f.textLost) {
		t.Errorf("text search lost: %v", err)
	}
	f.lost = errors.New("gone")
	if _, err := service.Retrieve(t.Context(), "tenant", "x"); !errors.Is(err, f.lost) {
		t.Errorf("embeddings lost: %v", err)
	}
}

func TestRetrieve(t *testing.T) {
	service, f := newService()
	for i := range 8 {
		f.vector = append(f.vector, Hit{DocumentID: "d", ChunkID: fmt.Sprint(i), Title: "T", Text: "text"})
	}
	citations, err := service.Retrieve(t.Context(), "tenant", strings.Repeat("é", maxQuery))
	if err != nil || len(citations) != passages || f.askedByTenant != "tenant" {
		t.Fatalf("got %d citations for %s, %v", len(citations), f.askedByTenant, err)
	}
	want := agent.Citation{Number: 2, DocumentID: "d", ChunkID: "1", Title: "T", Excerpt: "text", Score: 1.0 / 62}
	if citations[1] != want {
		t.Errorf("got %+v, want %+v", citations[1], want)
	}
	if query := f.queries[0]; query != strings.Repeat("é", maxQuery/2) {
		t.Errorf("searched for %d bytes, want the first %d", len(query), maxQuery)
	}
}
