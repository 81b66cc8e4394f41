package http

import (
	"fmt"
	"testing"
)

func TestAgents(t *testing.T) {
	r := startResources(t, nil)
	a := r.call(t, 201, "POST", "/v1/agents",
		`{"name":"A","model":"org/m","system_prompt":"Be kind.","retrieval":true,"temperature":0.5}`)
	made := decode[agentBody](t, a.body)
	if made.Name != "A" || !made.Retrieval || *made.Temperature != 0.5 || made.SystemPrompt != "Be kind." {
		t.Errorf("got %s", a.body)
	}
	path := "/v1/agents/" + made.ID
	if got := decode[agentBody](t, r.call(t, 200, "GET", path, "").body); got.ID != made.ID {
		t.Errorf("got %+v", got)
	}
	r.call(t, 204, "DELETE", path, "")
	wantCode(t, r.call(t, 404, "DELETE", path, ""), "not_found")
	wantCode(t, r.call(t, 404, "GET", path, ""), "not_found")
}

func TestAgentPatch(t *testing.T) {
	r := startResources(t, nil)
	id := r.create(t, "/v1/agents", `{"name":"A","model":"org/m","system_prompt":"S","temperature":0.5}`)
	tests := []struct {
		name, body, want string
	}{
		{"nothing", `{}`, "A S false 0.5"},
		{"a name", `{"name":"B"}`, "B S false 0.5"},
		{"null where it cannot be", `{"name":null,"model":null}`, "B S false 0.5"},
		{"an empty prompt", `{"system_prompt":""}`, "B  false 0.5"},
		{"temperature", `{"temperature":0}`, "B  false 0"},
		{"temperature unset", `{"temperature":null,"retrieval":true}`, "B  true nil"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r.call(t, 200, "PATCH", "/v1/agents/"+id, test.body)
			a := decode[agentBody](t, r.call(t, 200, "GET", "/v1/agents/"+id, "").body)
			temperature := "nil"
			if a.Temperature != nil {
				temperature = fmt.Sprint(*a.Temperature)
			}
			if got := fmt.Sprint(a.Name, " ", a.SystemPrompt, " ", a.Retrieval, " ", temperature); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	refused := []struct {
		name, body, code string
		status           int
	}{
		{"temperature too high", `{"temperature":3}`, "validation_failed", 422},
		{"temperature of another type", `{"temperature":"hot"}`, "validation_failed", 422},
		{"unknown model", `{"model":"none"}`, "model_not_found", 422},
		{"unknown field", `{"tenant_id":"x"}`, "validation_failed", 422},
	}
	for _, test := range refused {
		t.Run(test.name, func(t *testing.T) {
			wantCode(t, r.call(t, test.status, "PATCH", "/v1/agents/"+id, test.body), test.code)
		})
	}
	wantCode(t, r.call(t, 404, "PATCH", "/v1/agents/x", `{}`), "not_found")
}

func TestAgentFailures(t *testing.T) {
	r := startResources(t, nil)
	tests := []struct {
		name, body, code string
		status           int
	}{
		{"unknown model", `{"name":"A","model":"none"}`, "model_not_found", 422},
		{"no name", `{"model":"org/m"}`, "validation_failed", 422},
		{"empty name", `{"name":"","model":"org/m"}`, "validation_failed", 422},
		{"blank name", `{"name":" ","model":"org/m"}`, "invalid_value", 400},
		{"NUL", `{"name":"A","model":"org/m","system_prompt":"\u0000"}`, "invalid_value", 400},
		{"an array", `[]`, "validation_failed", 422},
		{"no body", ``, "invalid_request", 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantCode(t, r.call(t, test.status, "POST", "/v1/agents", test.body), test.code)
		})
	}
}

func TestListPages(t *testing.T) {
	r := startResources(t, nil)
	agentID := r.create(t, "/v1/agents", `{"name":"A","model":"org/m"}`)
	bodies := map[string]string{
		"/v1/agents":    `{"name":"A","model":"org/m"}`,
		"/v1/sessions":  `{"agent_id":"` + agentID + `"}`,
		"/v1/documents": `{"title":"T","content":"C"}`,
		"/v1/api-keys":  `{"name":"K","scopes":["chat"]}`,
	}
	for path, body := range bodies {
		t.Run(path, func(t *testing.T) {
			for range 3 {
				r.create(t, path, body)
			}
			type item struct{ ID string }
			all := decode[listBody[item]](t, r.call(t, 200, "GET", path, "").body)
			var got []item
			for next := path + "?limit=2"; next != ""; {
				page := decode[listBody[item]](t, r.call(t, 200, "GET", next, "").body)
				if len(page.Data) > 2 || page.HasMore != (page.NextCursor != "") {
					t.Fatalf("got %+v", page)
				}
				got = append(got, page.Data...)
				if next = ""; page.HasMore {
					next = path + "?limit=2&after=" + page.NextCursor
				}
			}
			if len(got) < 3 || fmt.Sprint(got) != fmt.Sprint(all.Data) {
				t.Errorf("pages have %v, the list %v", got, all.Data)
			}
			others := r.call(t, 200, "GET", path, "", "Authorization", "Bearer "+r.other)
			if list := decode[listBody[item]](t, others.body); len(list.Data) > 1 { // its own key
				t.Errorf("another tenant sees %s", others.body)
			}
			wantCode(t, r.call(t, 400, "GET", path+"?after=x", ""), "invalid_cursor")
			wantCode(t, r.call(t, 422, "GET", path+"?limit=0", ""), "validation_failed")
			wantCode(t, r.call(t, 422, "GET", path+"?limit=101", ""), "validation_failed")
		})
	}
}
