package http

import (
	"net/http"
	"strconv"
	"strings"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/telemetry"
)

const passedOn = "As OpenAI's. Fields that are not listed are passed on to the model server unchanged."

func (s *Server) registerChat() {
	const path = "/v1/chat/completions"
	operation := s.operation(http.MethodPost, path, "Answer a conversation", account.ScopeChat)
	operation.Description = passedOn +
		" Cache-Control: no-cache asks for a fresh answer, no-store also that none is kept."
	describeBodies[ChatCompletionRequest, ChatCompletion](s, &operation)
	operation.Responses["200"].Content["text/event-stream"] = streamOf[ChatCompletionChunk](s)
	operation.Parameters = append(operation.Parameters, idempotencyParam())
	s.raw(operation, account.ScopeChat, s.once(s.chatCompletions))
}

// chatCompletions serves OpenAI's POST /v1/chat/completions.
func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) {
	defer s.Metrics.SessionStarted(telemetry.DefaultAgent)()
	c := callOf(r.Context())
	request, err := agent.ParseChatRequest(c.body)
	if err == nil {
		request.ID, request.TenantID, request.KeyID = c.id, c.principal.TenantID, c.principal.KeyID
		request.Cache = cachePolicy(r.Header)
		if request.Stream {
			err = s.streamChat(w, r, request)
		} else {
			err = s.completeChat(w, r, request)
		}
	}
	if err != nil {
		refuse(w, r, err)
	}
}

// cachePolicy follows RFC 9111, section 5.2.1: no-cache wants a fresh answer, no-store also that none is kept.
func cachePolicy(header http.Header) agent.CachePolicy {
	var policy agent.CachePolicy
	for _, value := range header["Cache-Control"] {
		for directive := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.TrimSpace(directive)) {
			case "no-cache":
				policy.NoRead = true
			case "no-store":
				policy.NoRead, policy.NoWrite = true, true
			}
		}
	}
	return policy
}

func (s *Server) completeChat(w http.ResponseWriter, r *http.Request, request *agent.ChatRequest) error {
	ctx := r.Context()
	estimate := request.EstimatedTokens()
	settle, err := s.Accounts.Admit(ctx, principal(ctx), estimate)
	if err != nil {
		return err
	}
	completion, cached, err := s.Chat.Complete(ctx, request)
	if err != nil {
		settle(spent(nil, clientGone(ctx), estimate))
		return err
	}
	settle(spent(completion.Answer.Usage, !cached, estimate))
	w.Header()["X-Cache"] = cacheResult(request, cached)
	writeBytes(w, http.StatusOK, jsonMediaType, completion.Body)
	return nil
}

// spent is what is taken from a budget: nothing if no model worked, the estimate if the model did not say.
func spent(usage *agent.Usage, worked bool, estimate int64) int64 {
	switch {
	case !worked:
		return 0
	case usage == nil:
		return estimate
	default:
		return int64(max(0, usage.PromptTokens)) + int64(max(0, usage.CompletionTokens))
	}
}

var cacheHit, cacheMiss, cacheBypass = []string{"hit"}, []string{"miss"}, []string{"bypass"}

func cacheResult(request *agent.ChatRequest, cached bool) []string {
	switch {
	case cached:
		return cacheHit
	case request.Cache.NoRead:
		return cacheBypass
	default:
		return cacheMiss
	}
}

// streamChat returns errors only while no part of the answer is sent.
func (s *Server) streamChat(w http.ResponseWriter, r *http.Request, request *agent.ChatRequest) error {
	end, err := s.beginStream()
	if err != nil {
		return err
	}
	defer end()
	ctx := r.Context()
	estimate := request.EstimatedTokens()
	settle, err := s.Accounts.Admit(ctx, principal(ctx), estimate)
	if err != nil {
		return err
	}
	events := newEventWriter(w)
	usage, err := s.Chat.Stream(ctx, request, func(chunk agent.Chunk) error {
		if chunk.Internal {
			return nil
		}
		return events.data(chunk.Data)
	})
	if err == nil {
		_ = events.data([]byte("[DONE]")) // a client that is gone now is in the request's log line
	}
	settle(spent(usage, err == nil || events.begun || clientGone(ctx), estimate))
	if err == nil || !events.begun {
		return err
	}
	// A stream without [DONE] tells clients that the answer is not complete.
	events.fail(r, "", err)
	return nil
}

func writeBytes(w http.ResponseWriter, status int, mediaType string, body []byte) {
	header := w.Header()
	header["Content-Type"] = []string{mediaType}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client is gone, which the request's log line tells
}
