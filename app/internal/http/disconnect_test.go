package http

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"agentstack/app/agent"
)

// send writes a request as it is and returns all of the answer.
func (s *stub) send(t *testing.T, request string) string {
	t.Helper()
	connection, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// rawChat is a chat request as it goes over the wire.
func rawChat(body string) string {
	return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Length: %d\r\n\r\n%s", stubKey, len(body), body)
}

func TestDisconnectAtAnyByteOfTheRequest(t *testing.T) {
	var answered atomic.Int32
	model := stubModel{complete: func(context.Context) (*agent.Completion, error) {
		answered.Add(1)
		return &agent.Completion{Body: []byte(stubAnswer)}, nil
	}}
	s := startStub(t, model, nil)
	before := runtime.NumGoroutine()
	request := rawChat(chatBody)
	for end := range len(request) {
		connection, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(connection, request[:end]); err != nil {
			t.Fatal(err)
		}
		if end%2 == 0 {
			_ = connection.(*net.TCPConn).SetLinger(0) // a reset instead of an end
		}
		connection.Close()
	}
	poll(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+1 })
	if answered.Load() != 0 {
		t.Errorf("%d unfinished requests were answered", answered.Load())
	}
	if logs := s.logs.String(); strings.Contains(logs, `"status":5`) || strings.Contains(logs, `"level":"ERROR"`) {
		t.Errorf("logs:\n%s", logs)
	}
	if got := s.send(t, request); !strings.HasSuffix(got, stubAnswer) {
		t.Errorf("the whole request: %s", got)
	}
}

func TestDisconnectWhileWaiting(t *testing.T) {
	for name, body := range map[string]string{"whole": chatBody, "stream": streamBody} {
		t.Run(name, func(t *testing.T) {
			called, cancelled := make(chan struct{}), make(chan struct{})
			wait := func(ctx context.Context) error {
				close(called)
				<-ctx.Done()
				close(cancelled)
				return ctx.Err()
			}
			s := startStub(t, stubModel{
				complete: func(ctx context.Context) (*agent.Completion, error) { return nil, wait(ctx) },
				next:     func(ctx context.Context) (agent.Chunk, error) { return agent.Chunk{}, wait(ctx) },
			}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := s.try(ctx, "POST", "/v1/chat/completions", body)
				done <- err
			}()
			<-called
			cancel()
			if <-done == nil {
				t.Error("answered")
			}
			select {
			case <-cancelled:
			case <-time.After(5 * time.Second):
				t.Fatal("the model was not told within 5 s")
			}
			poll(t, "499 is logged", func() bool { return strings.Contains(s.logs.String(), `"status":499`) })
			if logs := s.logs.String(); strings.Contains(logs, "WARN") {
				t.Errorf("logs:\n%s", logs)
			}
		})
	}
}

func TestDisconnectWithinAStream(t *testing.T) {
	s := startStub(t, stubModel{next: func(context.Context) (agent.Chunk, error) {
		return agent.Chunk{Data: []byte(strings.Repeat("x", 10_000))}, nil // without an end
	}}, nil)
	before := runtime.NumGoroutine()
	for range 20 {
		connection, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(connection, rawChat(streamBody)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(connection, make([]byte, 20_000)); err != nil {
			t.Fatal(err)
		}
		connection.Close()
	}
	poll(t, "20 lines with 499", func() bool { return strings.Count(s.logs.String(), `"status":499`) == 20 })
	poll(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+1 })
}
