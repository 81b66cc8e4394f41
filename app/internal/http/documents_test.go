package http

import (
	"strings"
	"testing"
)

func TestDocuments(t *testing.T) {
	r := startResources(t, nil)
	a := r.call(t, 201, "POST", "/v1/documents",
		`{"title":"Handbook","content":"# Leave\n\nThirty days off.","content_type":"text/markdown"}`)
	made := decode[documentBody](t, a.body)
	if made.Title != "Handbook" || made.ContentType != "text/markdown" || made.Chunks != 1 || made.Content != "" {
		t.Errorf("got %s", a.body)
	}
	path := "/v1/documents/" + made.ID
	got := decode[documentBody](t, r.call(t, 200, "GET", path, "").body)
	if !strings.Contains(got.Content, "Thirty days") || got.Bytes != len(got.Content) {
		t.Errorf("got %+v", got)
	}
	list := r.call(t, 200, "GET", "/v1/documents", "")
	if strings.Contains(string(list.body), "Thirty") {
		t.Errorf("the list has content: %s", list.body)
	}
	if used := r.limiter.total(); used != int64(got.Bytes)/bytesPerToken {
		t.Errorf("%d tokens taken from the budget", used)
	}
	r.call(t, 204, "DELETE", path, "")
	r.call(t, 404, "DELETE", path, "")
	plain := decode[documentBody](t, r.call(t, 201, "POST", "/v1/documents", `{"title":"T","content":"C"}`).body)
	if plain.ContentType != "text/plain" {
		t.Errorf("type %q by default", plain.ContentType)
	}
}

func TestDocumentFailures(t *testing.T) {
	r := startResources(t, nil)
	tests := []struct {
		name, body, code string
		status           int
	}{
		{"no title", `{"content":"C"}`, "validation_failed", 422},
		{"empty content", `{"title":"T","content":""}`, "validation_failed", 422},
		{"blank content", `{"title":"T","content":" "}`, "invalid_value", 400},
		{"other type", `{"title":"T","content":"C","content_type":"text/html"}`, "validation_failed", 422},
		{"NUL", `{"title":"T","content":"\u0000"}`, "invalid_value", 400},
		{"invalid UTF-8", "{\"title\":\"T\",\"content\":\"\xff\"}", "invalid_utf8", 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantCode(t, r.call(t, test.status, "POST", "/v1/documents", test.body), test.code)
		})
	}
	if used := r.limiter.total(); used != 0 {
		t.Errorf("%d tokens taken for what was refused", used)
	}
	r.limiter.exhaust()
	a := r.call(t, 429, "POST", "/v1/documents", `{"title":"T","content":"C"}`)
	wantCode(t, a, "token_budget_exceeded")
	if a.header.Get("Retry-After") != "3600" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
}

func TestSearch(t *testing.T) {
	r := startResources(t, nil)
	r.create(t, "/v1/documents", `{"title":"Handbook","content":"Thirty days off."}`)
	for _, mode := range []string{``, `,"mode":"hybrid"`, `,"mode":"vector"`, `,"mode":"text","limit":1`} {
		t.Run(mode, func(t *testing.T) {
			a := r.call(t, 200, "POST", "/v1/search", `{"query":"days"`+mode+`}`)
			hits := decode[hitList](t, a.body).Data
			if len(hits) != 1 || hits[0].Title != "Handbook" || hits[0].Text != "Thirty days off." ||
				hits[0].Score <= 0 {
				t.Errorf("got %s", a.body)
			}
			a = r.call(t, 200, "POST", "/v1/search", `{"query":"days"`+mode+`}`, "Authorization", "Bearer "+r.other)
			if string(a.body) != "{\"data\":[]}\n" {
				t.Errorf("another tenant finds %s", a.body)
			}
		})
	}
	for _, body := range []string{
		`{}`, `{"query":""}`, `{"query":"q","mode":"magic"}`, `{"query":"q","limit":0}`, `{"query":"q","limit":51}`,
		`{"query":1}`,
	} {
		wantCode(t, r.call(t, 422, "POST", "/v1/search", body), "validation_failed")
	}
}
