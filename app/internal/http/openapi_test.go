package http

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"agentstack/app/account"
	"agentstack/app/agent"
)

// description is as much of an OpenAPI document as the test looks at.
type description struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Servers    []struct{ URL string }
	Paths      map[string]map[string]describedOperation
	Components struct {
		SecuritySchemes map[string]struct{ Scheme string }
	}
}

type describedOperation struct {
	OperationID, Summary string
	Tags                 []string
	Responses            map[string]struct {
		Content map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			}
		}
	}
}

func TestDescription(t *testing.T) {
	s := startStub(t, stubModel{}, nil)
	got := s.do(t, "GET", "/openapi.json", "", "Authorization", "")
	var api description
	if err := json.Unmarshal(got.body, &api); err != nil {
		t.Fatal(err)
	}
	if api.OpenAPI != "3.1.0" || api.Info.Title == "" || api.Info.Version != "dev" || api.Servers[0].URL != "/" ||
		api.Components.SecuritySchemes[bearerScheme].Scheme != "bearer" {
		t.Errorf("head: %.500s", got.body)
	}
	ids := map[string]bool{}
	for path, item := range api.Paths {
		for method, operation := range item {
			if operation.Summary == "" || len(operation.Tags) != 1 || ids[operation.OperationID] ||
				!described(operation) {
				t.Errorf("%s %s lacks something, or its id is not its own: %+v", method, path, operation)
			}
			ids[operation.OperationID] = true
		}
	}
	for _, want := range []string{"post-chat-completions", "post-embeddings", "get-models", "get-models-model"} {
		if !ids[want] {
			t.Errorf("no operation %s", want)
		}
	}
	var whole any
	if err := json.Unmarshal(got.body, &whole); err != nil {
		t.Fatal(err)
	}
	for _, reference := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(got.body, -1) {
		if !bytes.Contains(got.body, []byte(`"`+string(reference[1])+`":{`)) {
			t.Errorf("no schema %s", reference[1])
		}
	}
	if strings.Contains(string(got.body), "$schema") {
		t.Error("huma's schema links are on")
	}
}

// described tells whether an operation has a good answer and problems.
func described(operation describedOperation) bool {
	good, bad := false, false
	for status, response := range operation.Responses {
		good = good || status[0] == '2' || status == "101"
		if status[0] == '4' {
			bad = bad || response.Content[problemMediaType].Schema.Ref == "#/components/schemas/Problem"
		}
	}
	return good && bad
}

func TestDocs(t *testing.T) {
	s := startStub(t, stubModel{}, nil)
	page := s.do(t, "GET", "/docs", "", "Authorization", "")
	policy := page.header.Get("Content-Security-Policy")
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") ||
		!strings.HasPrefix(policy, "default-src 'self'; ") || strings.Contains(policy, "unsafe") {
		t.Errorf("%d %v", page.status, page.header)
	}
	sources := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(page.body, -1)
	if len(sources) < 4 || bytes.Contains(page.body, []byte("//")) ||
		bytes.Contains(page.body, []byte("<script>")) {
		t.Errorf("page:\n%s", page.body)
	}
	for _, source := range sources {
		plain := s.do(t, "GET", string(source[1]), "", "Accept-Encoding", "identity")
		packed := s.do(t, "GET", string(source[1]), "", "Accept-Encoding", "br, gzip;q=0.5")
		if plain.status != 200 || plain.header.Get("Content-Encoding") != "" ||
			plain.header.Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", source[1], plain.status, plain.header)
		}
		unpacked := packed.body
		if packed.header.Get("Content-Encoding") == "gzip" {
			var err error
			if unpacked, err = gunzip(packed.body); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(plain.body, unpacked) || len(plain.body) == 0 {
			t.Errorf("%s: the two differ", source[1])
		}
	}
}

type listInput struct{ PageInput }

type listOutput struct{ Body listBody[string] }

func TestPages(t *testing.T) {
	s := startStub(t, stubModel{}, nil)
	ids := []string{stubTenant, stubKeyID, "0193e0a0-0000-7000-8000-00000000000c"}
	list := func(_ context.Context, input *listInput) (*listOutput, error) {
		page, err := input.page()
		if err != nil {
			return nil, err
		}
		items := ids
		for len(items) > 0 && page.Before != "" && items[0] <= page.Before {
			items = items[1:]
		}
		items = items[:min(len(items), page.Limit+1)]
		same := func(s *string) string { return *s }
		return &listOutput{newList(items, agent.Page{Limit: page.Limit}, same, same)}, nil
	}
	register(s.Server, s.operation(http.MethodGet, "/v1/list", "List", account.ScopeChat), list)
	var first, last listBody[string]
	body := s.do(t, "GET", "/v1/list?limit=2", "").body
	if err := json.Unmarshal(body, &first); err != nil || len(first.Data) != 2 || !first.HasMore {
		t.Fatalf("%s %v", body, err)
	}
	body = s.do(t, "GET", "/v1/list?limit=2&after="+first.NextCursor, "").body
	err := json.Unmarshal(body, &last)
	if err != nil || len(last.Data) != 1 || last.HasMore || last.NextCursor != "" {
		t.Fatalf("%s %v", body, err)
	}
	for query, status := range map[string]int{
		"after=x": 400, "after=" + first.NextCursor[1:]: 400, "after=" + first.NextCursor + "=": 400,
		"after=JzsgRFJPUCBUQUJMRSB1c2VyczsgLS0": 400, "after=" + strings.Repeat("a", 65): 422,
		"limit=0": 422, "limit=101": 422, "limit=x": 422, "limit=100": 200, "": 200,
	} {
		got := s.do(t, "GET", "/v1/list?"+query, "")
		if got.status != status || status != 200 && len(got.problem.Errors) == 0 {
			t.Errorf("%s: %d %s, want %d", query, got.status, got.body, status)
		}
	}
}

func TestBodiesOfOperations(t *testing.T) {
	s := startStub(t, stubModel{}, nil)
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	echo := func(_ context.Context, input *thingInput) (*thingOutput, error) {
		output := &thingOutput{}
		output.Body.Name = input.Body.Name
		return output, nil
	}
	register(s.Server, s.operation(http.MethodPost, "/v1/things", "Make a thing", account.ScopeChat), echo)
	register(s.Server, s.operation(http.MethodPost, "/v1/public", "Make a thing", ""), echo)
	for name, test := range map[string]struct {
		path, body, mediaType string
		status                int
		code                  string
	}{
		"good":          {"things", `{"name":"ü"}`, "application/json; charset=utf-8", 200, ""},
		"no type":       {"things", `{"name":"x"}`, "", 200, ""},
		"form":          {"things", `name=x`, "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
		"malformed":     {"things", `{"name":`, "", 400, "invalid_request"},
		"nothing":       {"things", ``, "", 400, "invalid_request"},
		"wrong type":    {"things", `{"name":1}`, "", 422, "validation_failed"},
		"unknown field": {"things", `{"name":"x","other":1}`, "", 422, "validation_failed"},
		"too long":      {"things", `{"name":"` + strings.Repeat("x", 1000) + `"}`, "", 422, "validation_failed"},
		"invalid UTF-8": {"things", "{\"name\":\"\xff\"}", "", 400, "invalid_utf8"},
		"deep":          {"things", deep, "", 400, "invalid_request"},
		"large, public": {"public", strings.Repeat(" ", maxPublicBody+1), "", 413, "request_too_large"},
		"large":         {"things", strings.Repeat(" ", maxBody+1), "", 413, "request_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.do(t, "POST", "/v1/"+test.path, test.body, "Content-Type", test.mediaType)
			if got.status != test.status || len(got.body) > 2000 {
				t.Fatalf("got %d %.3000s", got.status, got.body)
			}
			if test.code != "" && (*got.problem.OpenAI.Code != test.code || got.problem.Instance == "") {
				t.Errorf("got %s", got.body)
			}
		})
	}
}
