package llm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"agentstack/app/agent"
	"agentstack/app/knowledge"
)

func TestEmbedder(t *testing.T) {
	u := startMock(t)
	embedder := knowledge.Embedder(NewEmbedder(NewOpenAI(u.options()), "mock"))
	texts := make([]string, 300)
	for i := range texts {
		texts[i] = fmt.Sprintf("text number %d", i)
	}
	texts[299] = texts[0]
	vectors, err := embedder.EmbedTexts(t.Context(), texts)
	if err != nil || len(vectors) != len(texts) {
		t.Fatalf("got %d vectors, %v", len(vectors), err)
	}
	var sizes []int
	for _, body := range u.bodies {
		sizes = append(sizes, len(gjson.Get(body, "input").Array()))
		if gjson.Get(body, "dimensions").Int() != knowledge.Dimensions ||
			gjson.Get(body, "encoding_format").String() != "float" {
			t.Errorf("asked %s", body[:100])
		}
	}
	if fmt.Sprint(sizes) != "[128 128 44]" {
		t.Errorf("batches of %v", sizes)
	}
	first, same, other := fmt.Sprint(vectors[0]), fmt.Sprint(vectors[299]), fmt.Sprint(vectors[1])
	if len(vectors[0]) != knowledge.Dimensions || first != same || first == other {
		t.Error("vectors are not those of their texts")
	}
	if none, err := embedder.EmbedTexts(t.Context(), nil); len(none) != 0 || err != nil || u.asked() != 3 {
		t.Errorf("no texts: %v, %v", none, err)
	}
	failing := NewEmbedder(NewOpenAI(u.options()), "mock-error")
	if _, err := failing.EmbedTexts(t.Context(), texts); kind(t, err) != agent.ModelFailed {
		t.Errorf("got %v", err)
	}
}

func TestParseEmbeddings(t *testing.T) {
	vector := "[0.5" + strings.Repeat(",0", knowledge.Dimensions-1) + "]"
	item := func(index int, vector string) string {
		return fmt.Sprintf(`{"index":%d,"embedding":%s}`, index, vector)
	}
	body := func(items ...string) []byte { return []byte(`{"data":[` + strings.Join(items, ",") + `]}`) }
	second := strings.Replace(vector, "0.5", "0.25", 1)
	got, err := parseEmbeddings(body(item(1, second), item(0, vector)), 2)
	if err != nil || got[0][0] != 0.5 || got[1][0] != 0.25 {
		t.Errorf("out of order: %v", err)
	}
	for name, data := range map[string][]byte{
		"too few":    body(item(0, vector)),
		"too many":   body(item(0, vector), item(1, vector), item(2, vector)),
		"twice":      body(item(0, vector), item(0, vector)),
		"beyond":     body(item(0, vector), item(2, vector)),
		"negative":   body(item(0, vector), item(-1, vector)),
		"too narrow": body(item(0, vector), item(1, "[1,2]")),
		"too wide":   body(item(0, vector), item(1, "[1,"+vector[1:])),
		"not there":  body(item(0, vector), item(1, "null")),
		"base64":     body(item(0, `"AAAA"`), item(1, vector)),
		"not JSON":   []byte("x"),
	} {
		if _, err := parseEmbeddings(data, 2); kind(t, err) != agent.ModelProtocolError {
			t.Errorf("%s: %v", name, err)
		}
	}
}
