// Package tracing sends OpenTelemetry traces over OTLP.
package tracing

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Options say where traces go and whose they are.
type Options struct {
	Endpoint    string // base URL of an OTLP receiver over HTTP, as in http://otel-collector:4318
	Version     string
	Environment string
	Region      string
}

// Start makes the process's global tracer provider. A receiver that is away costs spans, never a request. The sampling
// follows the caller's traceparent; OTEL_TRACES_SAMPLER and the other variables of OpenTelemetry's SDK hold.
// The returned function sends what is left.
func Start(ctx context.Context, options Options, log *slog.Logger) (stop func(context.Context) error, err error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(options.Endpoint+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("make trace exporter: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces not sent", "error", err) }))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "ai-agent-api"),
		attribute.String("service.version", options.Version),
		attribute.String("deployment.environment.name", options.Environment),
		attribute.String("cloud.region", options.Region),
	)))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return provider.Shutdown, nil
}
