package http

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/telemetry"
)

// BenchmarkChat is a chat request without a network and with a model that answers at once.
func BenchmarkChat(b *testing.B) {
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	s := NewServer(Options{
		Chat:     &agent.Chat{Model: stubModel{}, Log: log},
		Catalog:  stubModel{},
		Accounts: &account.Service{Store: stubAccounts{}, Signer: stubSigner{}},
		Metrics:  telemetry.New("v", "test"),
		Log:      log,
	})
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody))
		request.Header.Set("Authorization", "Bearer "+stubKey)
		recorder := httptest.NewRecorder()
		s.http.Handler.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusOK {
			b.Fatal(recorder.Body)
		}
	}
}
