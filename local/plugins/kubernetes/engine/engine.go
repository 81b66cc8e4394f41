// Package engine talks back to the Pulumi engine that started the plugin.
package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Log writes to the user's terminal. A nil *Log, and one that is not connected, drops what it is given.
type Log struct {
	client pulumirpc.EngineClient
	redact func(string) string
}

// Connect returns a log of the engine at address. Everything written goes through redact.
func Connect(address string, redact func(string) string) (*Log, error) {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), rpcutil.GrpcChannelOptions())
	if err != nil {
		return nil, fmt.Errorf("connect to engine %s: %w", address, err)
	}
	return New(pulumirpc.NewEngineClient(connection), redact), nil
}

// New returns a log that writes to client.
func New(client pulumirpc.EngineClient, redact func(string) string) *Log {
	return &Log{client: client, redact: redact}
}

// Warn writes a warning about a resource.
func (l *Log) Warn(ctx context.Context, urn, message string) {
	l.write(ctx, urn, message, pulumirpc.LogSeverity_WARNING, false)
}

// Info writes a note about a resource.
func (l *Log) Info(ctx context.Context, urn, message string) {
	l.write(ctx, urn, message, pulumirpc.LogSeverity_INFO, false)
}

// Status shows what a resource is doing right now; the next status overwrites it, an empty one clears it.
func (l *Log) Status(ctx context.Context, urn, message string) {
	l.write(ctx, urn, message, pulumirpc.LogSeverity_INFO, true)
}

// write drops an error of the engine's log: no operation on the cluster may fail because of a message.
func (l *Log) write(ctx context.Context, urn, message string, severity pulumirpc.LogSeverity, ephemeral bool) {
	if l == nil || l.client == nil {
		return
	}
	_, _ = l.client.Log(ctx, &pulumirpc.LogRequest{
		Severity: severity, Message: l.redact(message), Urn: urn, Ephemeral: ephemeral,
	})
}

// Resource is the log of one operation on one resource; it shows each text once.
type Resource struct {
	log *Log
	urn string

	mu     sync.Mutex
	status string
	warned map[string]bool
}

// For returns the log of one operation on the resource urn.
func (l *Log) For(urn string) *Resource {
	return &Resource{log: l, urn: urn, warned: map[string]bool{}}
}

// Warn writes a warning that was not written before.
func (r *Resource) Warn(ctx context.Context, message string) {
	r.mu.Lock()
	seen := r.warned[message]
	r.warned[message] = true
	r.mu.Unlock()
	if !seen {
		r.log.Warn(ctx, r.urn, message)
	}
}

// Status shows what the operation waits for.
func (r *Resource) Status(ctx context.Context, message string) {
	r.mu.Lock()
	seen := r.status == message
	r.status = message
	r.mu.Unlock()
	if !seen {
		r.log.Status(ctx, r.urn, message)
	}
}

type resourceKey struct{}

// With returns a context that carries the log of the operation's resource.
func (r *Resource) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, resourceKey{}, r)
}

// WarnFrom writes a warning about the resource whose operation ctx belongs to, if any.
func WarnFrom(ctx context.Context, message string) {
	if r, ok := ctx.Value(resourceKey{}).(*Resource); ok {
		r.Warn(ctx, message)
	}
}
