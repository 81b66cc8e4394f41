package visitors

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fake is an edge with an API behind it that does what the API documents, and once, when asked to, something else.
type fake struct {
	fault    string
	refusals atomic.Int32 // of WebSockets

	mu        sync.Mutex
	done      bool              // the fault has happened
	questions map[string]string // by the message that answers them
	pongs     int
	protocols map[int]int // chat requests by major version of HTTP
	ports     map[string]bool
}

func newFake(t *testing.T, fault string) (*fake, Edge) {
	t.Helper()
	f := &fake{fault: fault, questions: map[string]string{}, protocols: map[int]int{}, ports: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/agents", f.make)
	mux.HandleFunc("POST /v1/sessions", f.make)
	mux.HandleFunc("POST /v1/chat/completions", f.chat)
	mux.HandleFunc("POST /v1/sessions/{id}/messages", f.ask)
	mux.HandleFunc("GET /v1/messages/{id}/events", f.resume)
	mux.HandleFunc("GET /ws", f.socket)
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	authorities := x509.NewCertPool()
	authorities.AddCert(server.Certificate())
	return f, Edge{Address: server.Listener.Addr().String(), Host: "example.com", CA: authorities}
}

// once tells whether it is time for a fault.
func (f *fake) once(fault string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done || f.fault != fault {
		return false
	}
	f.done = true
	return true
}

func (f *fake) make(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"id":"made"}`)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"type":"urn:agentstack:problem:%s","detail":"Try again."}`, code)
}

func (f *fake) chat(w http.ResponseWriter, r *http.Request) {
	var body struct{ Messages []struct{ Content string } }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Messages) != 1 {
		refuse(w, http.StatusBadRequest, "invalid")
		return
	}
	f.mu.Lock()
	f.protocols[r.ProtoMajor]++
	f.ports[r.RemoteAddr] = true
	f.mu.Unlock()
	text := answerTo(body.Messages[0].Content)
	switch {
	case f.once("request refused"):
		refuse(w, http.StatusServiceUnavailable, "shutting_down")
		return
	case f.once("request reset"):
		panic(http.ErrAbortHandler)
	case f.once("request answered by half"):
		w.Header().Set("Content-Length", "1000")
		text = text[:5]
	case f.once("request held"):
		f.hold(r.Context())
	case f.once("another answer"):
		text = "You said: nothing"
	}
	_, _ = fmt.Fprintf(w, `{"choices":[{"message":{"content":%q}}]}`, text)
}

// held is how many later requests must come before one is answered.
const held = 20

func (f *fake) hold(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		f.mu.Lock()
		come := f.protocols[1] + f.protocols[2]
		f.mu.Unlock()
		if come > held {
			return
		}
	}
}

// eventsOf are those of an answer, a word each, and the end.
func eventsOf(question string) (events []string) {
	for i, word := range strings.SplitAfter(answerTo(question), " ") {
		events = append(events, fmt.Sprintf(`{"seq":%d,"type":"delta","text":%q}`, i+1, word))
	}
	return append(events, fmt.Sprintf(`{"seq":%d,"type":"end","status":"completed"}`, len(events)+1))
}

func (f *fake) begin(question string) (message string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	message = "message-" + strconv.Itoa(len(f.questions))
	f.questions[message] = question
	return message
}

func (f *fake) asked(message string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.questions[message]
}

func (f *fake) ask(w http.ResponseWriter, r *http.Request) {
	var body struct{ Content string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || f.once("stream refused") {
		refuse(w, http.StatusBadGateway, "model_error")
		return
	}
	message := f.begin(body.Content)
	_, _ = fmt.Fprintf(w, "event: message\ndata: {\"message_id\":%q}\n\n", message)
	f.events(w, eventsOf(body.Content), 0)
}

func (f *fake) resume(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil || f.fault == "stream that cannot be resumed" {
		refuse(w, http.StatusNotFound, "not_found")
		return
	}
	switch f.fault {
	case "stream resumed too late":
		after++
	case "stream resumed too early":
		after--
	case "stream begun again":
		after = 0
	}
	_, _ = io.WriteString(w, ":\n\n")
	f.events(w, eventsOf(f.asked(r.PathValue("id"))), after)
}

func (f *fake) events(w http.ResponseWriter, events []string, after int) {
	control := http.NewResponseController(w)
	for i, data := range events[after:] {
		seq := after + i + 1
		name := "delta"
		switch {
		case i < 3:
		case f.once("stream shut down"):
			_, _ = io.WriteString(w, "event: error\ndata: {\"type\":\"urn:agentstack:problem:shutting_down\"}\n\n")
			return
		case f.once("stream with another error"):
			_, _ = io.WriteString(w, "event: error\ndata: {\"type\":\"urn:agentstack:problem:internal_error\"}\n\n")
			return
		case f.once("stream ended"), strings.HasPrefix(f.fault, "stream resumed") && f.once(f.fault),
			f.once("stream begun again"), f.once("stream that cannot be resumed"):
			return
		case f.once("stream reset"):
			panic(http.ErrAbortHandler)
		case f.once("stream silent"):
			time.Sleep(3 * time.Second)
		case f.once("event missing"):
			continue
		case f.once("event twice"):
			_, _ = fmt.Fprintf(w, "data: %s\n\n", data)
		case f.once("other words"):
			data = strings.Replace(data, `"text":"`, `"text":"x`, 1)
		case seq == len(events) && f.once("answer interrupted"):
			data = strings.Replace(data, "completed", "interrupted", 1)
		}
		_, _ = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", seq, name, data)
		_ = control.Flush()
		time.Sleep(time.Millisecond)
	}
}

func (f *fake) socket(w http.ResponseWriter, r *http.Request) {
	if f.fault == "socket shut down" && f.hasDone() && f.refusals.Add(1) == 1 {
		refuse(w, http.StatusServiceUnavailable, "shutting_down")
		return
	}
	if f.once("socket refused") {
		refuse(w, http.StatusServiceUnavailable, "too_many_streams")
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", acceptOf(r.Header.Get("Sec-WebSocket-Key")))
	_, _ = conn.Write(frame(opPing, []byte("ping"), false))
	for {
		opcode, payload, err := readFrame(buffered)
		if err != nil || opcode == opClose {
			return
		}
		if opcode == opPong && string(payload) == "ping" {
			f.mu.Lock()
			f.pongs++
			f.mu.Unlock()
		}
		if opcode == opText && !f.serve(conn, payload) {
			return
		}
	}
}

func (f *fake) hasDone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// serve answers one frame, and tells whether the connection goes on.
func (f *fake) serve(conn net.Conn, payload []byte) bool {
	var got struct {
		Type, ID, Content string
		MessageID         string `json:"message_id"`
		After             int
	}
	if json.Unmarshal(payload, &got) != nil {
		return false
	}
	say := func(text string) { _, _ = conn.Write(frame(opText, []byte(text), false)) }
	closing := func(code uint16) {
		_, _ = conn.Write(frame(opClose, binary.BigEndian.AppendUint16(nil, code), false))
	}
	message := got.MessageID
	if got.Type == "ask" {
		switch {
		case f.once("socket shut down"):
			closing(statusRestart) // and the question is lost
			return false
		case f.once("question refused by a drained socket"):
			say(`{"type":"error","id":"` + got.ID + `","error":{"type":"urn:agentstack:problem:shutting_down"}}`)
			closing(statusRestart)
			return false
		case f.once("question refused"):
			say(`{"type":"error","id":"` + got.ID + `","error":{"type":"urn:agentstack:problem:not_found"}}`)
			return true
		case f.once("question not answered"):
			return true
		}
		message = f.begin(got.Content)
		say(fmt.Sprintf(`{"type":"message","id":%q,"message_id":%q}`, got.ID, message))
	} else if f.fault == "socket resumed too late" {
		got.After++
	}
	for i, data := range eventsOf(f.asked(message))[got.After:] {
		switch {
		case i < 3:
		case f.once("socket shut down within an answer"):
			closing(statusRestart)
			return false
		case f.once("socket closed with another code"):
			closing(1011)
			return false
		case f.once("socket cut"), f.once("socket resumed too late"):
			return false
		case f.once("socket silent"):
			time.Sleep(3 * time.Second)
		case f.once("event of a socket missing"):
			continue
		}
		say(fmt.Sprintf(`{"type":"event","message_id":%q,"event":%s}`, message, data))
	}
	return true
}
