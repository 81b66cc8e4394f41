package http

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"

	"agentstack/app/account"
	"agentstack/app/agent"
	"agentstack/app/telemetry"
)

const (
	socketProtocol = "agentstack.v1"
	// bearerProtocol leads the credential of browsers, whose WebSockets cannot have an Authorization header.
	bearerProtocol = "bearer."
)

const socketDescription = `A WebSocket with text frames of JSON, at most 1 MiB each. Programs authenticate by the
Authorization header; browsers offer the subprotocols agentstack.v1 and bearer.<credential>, and the server selects the
first. Pages of other origins are refused.

The client sends:

    {"type":"ask","id":"<its own>","session_id":"…","content":"…"}
    {"type":"resume","id":"…","message_id":"…","after":<last seq it has>}
    {"type":"cancel","id":"…","message_id":"…"}

The server sends:

    {"type":"message","id":"…","question_id":"…","message_id":"…"}
    {"type":"event","message_id":"…","event":{"seq":1,"type":"citations|delta|end",…}}
    {"type":"error","id":"…","error":{<problem>}}

Up to 8 answers may be in progress on one socket. They go on when it closes, for 60 seconds without a reader; resume on
a new one. The server pings every 20 seconds.

Close codes: 1003 binary frame, 1007 no JSON, 1008 no pong within 20 seconds, 1009 frame too large, 1012 the server
shuts down (connect again), 4401 the credential is no longer valid.`

// describeSocket adds /ws. It cannot be an operation of huma's: the answer is another protocol.
func (s *Server) describeSocket() {
	operation := s.operation(http.MethodGet, telemetry.WebSocketEndpoint, "Ask questions over a WebSocket",
		account.ScopeAgents)
	operation.Description = socketDescription
	operation.Responses = map[string]*huma.Response{"101": {Description: "The protocol is WebSocket from here on."}}
	operation.Errors = append(operation.Errors, http.StatusUpgradeRequired)
	for _, status := range operation.Errors {
		operation.Responses[strconv.Itoa(status)] = s.problemResponse(status)
	}
	s.api.OpenAPI().AddOperation(&operation)
	s.mux.HandleFunc("GET "+telemetry.WebSocketEndpoint, s.socket)
}

func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	credential := protocolCredential(r.Header)
	if credential != "" && r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	if err := s.authorise(r, account.ScopeAgents); err != nil {
		refuse(w, r, err)
		return
	}
	bearer, err := bearer(r.Header)
	if err != nil {
		refuse(w, r, err)
		return
	}
	if s.draining.Load() {
		refuse(w, r, agent.ErrShutdown)
		return
	}
	conn, err := websocket.Accept(&handshake{ResponseWriter: w, request: r}, r, &websocket.AcceptOptions{
		Subprotocols:    []string{socketProtocol},
		CompressionMode: websocket.CompressionDisabled, // secrets next to chosen text, and memory for each socket
	})
	if err != nil {
		return // the handshake has answered
	}
	callOf(r.Context()).outcome = http.StatusSwitchingProtocols
	s.runSocket(conn, r, bearer)
}

// protocolCredential is the credential among the offered subprotocols, or empty.
func protocolCredential(header http.Header) string {
	for offer := range strings.SplitSeq(strings.Join(header.Values("Sec-WebSocket-Protocol"), ","), ",") {
		if credential, ok := strings.CutPrefix(strings.TrimSpace(offer), bearerProtocol); ok {
			return credential
		}
	}
	return ""
}

// handshake answers a handshake that fails with a problem in place of the library's plain text.
type handshake struct {
	http.ResponseWriter
	request *http.Request
	refused bool
}

var handshakeProblems = map[int]*Problem{
	http.StatusUpgradeRequired: newProblem(http.StatusUpgradeRequired, "upgrade_required",
		"This is a WebSocket. Send Connection: Upgrade and Upgrade: websocket over HTTP/1.1."),
	http.StatusForbidden: newProblem(http.StatusForbidden, "origin_not_allowed",
		"Pages of other origins may not connect."),
	http.StatusBadRequest: newProblem(http.StatusBadRequest, "invalid_handshake",
		"The WebSocket handshake is invalid: it needs Sec-WebSocket-Version 13 and one Sec-WebSocket-Key."),
}

func (h *handshake) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		h.ResponseWriter.WriteHeader(status)
		return
	}
	h.refused = true
	answer := internalError()
	if known := handshakeProblems[status]; known != nil {
		same := *known
		answer = &same // it gets the id of this request
	}
	writeProblem(h.ResponseWriter, h.request, answer)
}

func (h *handshake) Write(p []byte) (int, error) {
	if h.refused {
		return len(p), nil
	}
	return h.ResponseWriter.Write(p)
}

// Unwrap lets the library find the connection.
func (h *handshake) Unwrap() http.ResponseWriter { return h.ResponseWriter }
