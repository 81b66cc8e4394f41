package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"agentstack/app/internal/config"
	"agentstack/app/internal/judge"
)

// maxTerminationMessage in bytes is what Kubernetes keeps: of a longer one its end.
const maxTerminationMessage = 4096

// judge says whether a canary may become the stable version. Interval is that of the looks at its measures.
func (p process) judge(ctx context.Context, interval time.Duration) error {
	settings, err := config.ReadJudge(p.env)
	if err != nil {
		err = usageError{fmt.Errorf("invalid configuration:\n%w", err)}
		p.terminationMessage(settings.TerminationMessage, err.Error())
		return err
	}
	return p.pass(ctx, settings, interval)
}

// pass gives the verdict: printed if the canary is good, as an error if it is not, and in both cases in the file for
// the container's termination message.
func (p process) pass(ctx context.Context, settings config.Judge, interval time.Duration) error {
	log := slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: settings.LogLevel}))
	log.Info("judging", "version", version, "stable", settings.Stable, "canary", settings.Canary,
		"window", settings.Window.String())
	verdict, err := (&judge.Judge{
		PrometheusURL: settings.PrometheusURL, Stable: settings.Stable, Canary: settings.Canary,
		Window: settings.Window, Interval: interval, Log: log,
		Limits: judge.Limits{
			MinRequests: settings.MinRequests,
			ErrorRatio:  settings.MaxErrorRatio, LatencyRatio: settings.MaxLatencyRatio,
		},
	}).Run(ctx)
	if err == nil {
		log.Info("judged", "verdict", verdict)
		if !verdict.OK() {
			err = errors.New(verdict.String())
		}
	}
	if err != nil {
		p.terminationMessage(settings.TerminationMessage, err.Error())
		return err
	}
	p.terminationMessage(settings.TerminationMessage, verdict.String())
	_, err = fmt.Fprintln(p.stdout, verdict)
	return err
}

// terminationMessage writes a file that Kubernetes has made; elsewhere there is none. A verdict holds without it.
func (p process) terminationMessage(path, text string) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		_, err = file.WriteString(text[:min(len(text), maxTerminationMessage)])
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		fmt.Fprintf(p.stderr, "agentd: write termination message: %v\n", err)
	}
}
