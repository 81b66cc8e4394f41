package telemetry

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestModelLabelsAreBounded(t *testing.T) {
	m := New("v", "test")
	for i := range 10 * maxValues {
		m.startCall(fmt.Sprintf("model-%d", i), Price{}).end(t.Context(), nil)
	}
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	body := recorder.Body.String()
	if series := strings.Count(body, LLMCalls.Name+"{"); series != maxValues+1 {
		t.Errorf("%d series, want %d and one for all others", series, maxValues+1)
	}
	others := fmt.Sprintf(`%s{error_type="",model="other",status="success"} %d`, LLMCalls.Name, 9*maxValues)
	if !strings.Contains(body, others) {
		t.Errorf("/metrics lacks %s", others)
	}
}

func TestCacheHitRatio(t *testing.T) {
	m := New("v", "test")
	for _, hit := range []bool{true, false, true, true} {
		m.observeLookup("response", hit)
	}
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	if want := CacheHitRatio.Name + `{cache_type="response"} 0.75`; !strings.Contains(recorder.Body.String(), want) {
		t.Errorf("/metrics lacks %s", want)
	}
}
