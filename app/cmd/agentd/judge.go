package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"agentstack/app/internal/canary"
	"agentstack/app/internal/config"
	"agentstack/app/internal/judge"
	"agentstack/app/internal/kube"
)

const (
	// maxTerminationMessage in bytes is what Kubernetes keeps: of a longer one its end.
	maxTerminationMessage = 4096
	// startPatience is how long the canary's pods may take to be ready. The Job's deadline leaves room for it,
	// judgeMargin in components/apiservice.
	startPatience = 3 * time.Minute
	// withdrawPatience is below the grace period of the judge's pod.
	withdrawPatience = 20 * time.Second
)

// judge says whether a canary may become the stable version, and takes it away if not. Account is the folder of the
// service account, interval the time between looks at the canary's measures.
func (p process) judge(ctx context.Context, account string, interval time.Duration) error {
	settings, err := config.ReadJudge(p.env)
	api, accountErr := kube.NewClient(settings.APIServer, account)
	if err := errors.Join(err, accountErr); err != nil {
		err = usageError{fmt.Errorf("invalid configuration:\n%w", err)}
		p.terminationMessage(settings.TerminationMessage, err.Error())
		return err
	}
	return p.pass(ctx, settings, api, interval)
}

// pass gives the verdict: printed if the canary is good, as an error if it is not, and in both cases in the file for
// the container's termination message.
func (p process) pass(ctx context.Context, settings config.Judge, api *kube.Client, interval time.Duration) error {
	candidate := canary.Canary{
		API: api, Stable: settings.StableDeployment, Name: settings.CanaryDeployment, Image: settings.Image,
		Replicas: settings.Replicas, Patience: startPatience, Interval: time.Second,
	}
	text, err := p.verdict(ctx, settings, candidate, interval)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, withdraw(ctx, candidate))
		p.terminationMessage(settings.TerminationMessage, err.Error())
		return err
	}
	p.terminationMessage(settings.TerminationMessage, text)
	_, err = fmt.Fprintln(p.stdout, text)
	return err
}

// verdict returns why the canary is good, or as an error why it is not.
func (p process) verdict(ctx context.Context, settings config.Judge, candidate canary.Canary, interval time.Duration,
) (string, error) {
	log := slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: settings.LogLevel}))
	nothing, err := candidate.Start(ctx)
	if err != nil || nothing != "" {
		return nothing, err
	}
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
	if err != nil {
		return "", err
	}
	log.Info("judged", "verdict", verdict)
	if !verdict.OK() {
		return "", errors.New(verdict.String())
	}
	return verdict.String(), nil
}

// withdraw takes the canary away, also when the judge was told to stop, and says so.
func withdraw(ctx context.Context, candidate canary.Canary) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawPatience)
	defer cancel()
	if err := candidate.Withdraw(ctx); err != nil {
		return fmt.Sprintf("it may still have traffic, see 'A refused canary' in docs/delivery.md: %v", err)
	}
	return "its pods are taken away, all traffic goes to the stable version"
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
