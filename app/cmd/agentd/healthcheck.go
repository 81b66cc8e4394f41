package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthcheckTimeout bounds the request; dependencies are given 2 s to answer.
const healthcheckTimeout = 5 * time.Second

// healthcheck serves container runtimes, since the image has no shell and no curl.
func (p process) healthcheck(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	flags.SetOutput(p.stderr)
	url := flags.String("url", "http://127.0.0.1:8000/health", "what to request")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return usageError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *url, nil)
	if err != nil {
		return usageError{fmt.Errorf("make request: %w", err)}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("request health: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("read health: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("unhealthy: %s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	_, err = fmt.Fprintln(p.stdout, strings.TrimSpace(string(body)))
	return err
}
