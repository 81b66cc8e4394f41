// Package engine writes to the terminal of the user whose Pulumi engine started the plugin.
package engine

import (
	"context"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Host is the engine.
type Host interface {
	Log(ctx context.Context, severity diag.Severity, urn resource.URN, message string) error
	LogStatus(ctx context.Context, severity diag.Severity, urn resource.URN, message string) error
}

// Log writes to a host. A nil *Log drops what it is given.
type Log struct {
	host   Host
	redact func(string) string
}

// NewLog returns a log that writes to host what redact leaves of it.
func NewLog(host Host, redact func(string) string) *Log { return &Log{host: host, redact: redact} }

// For returns the log of one operation on the resource urn.
func (l *Log) For(urn string) *Resource {
	return &Resource{log: l, urn: resource.URN(urn), warned: map[string]bool{}}
}

// Resource is the log of one operation on one resource. An error of the engine's log is dropped: no
// operation on a cluster may fail because of a message.
type Resource struct {
	log *Log
	urn resource.URN

	mu     sync.Mutex
	status string
	warned map[string]bool
}

// Warn writes a warning, each text once.
func (r *Resource) Warn(ctx context.Context, message string) {
	r.mu.Lock()
	seen := r.warned[message]
	r.warned[message] = true
	r.mu.Unlock()
	if !seen && r.log != nil {
		_ = r.log.host.Log(ctx, diag.Warning, r.urn, r.log.redact(message))
	}
}

// Status shows what the operation is doing; the next status overwrites it, an empty one clears it.
func (r *Resource) Status(ctx context.Context, message string) {
	r.mu.Lock()
	seen := r.status == message
	r.status = message
	r.mu.Unlock()
	if !seen && r.log != nil {
		_ = r.log.host.LogStatus(ctx, diag.Info, r.urn, r.log.redact(message))
	}
}

type resourceKey struct{}

// With returns a context that carries the log.
func (r *Resource) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, resourceKey{}, r)
}

// WarnFrom writes a warning about the resource whose operation ctx belongs to, if any.
func WarnFrom(ctx context.Context, message string) {
	if r, ok := ctx.Value(resourceKey{}).(*Resource); ok {
		r.Warn(ctx, message)
	}
}
