package main

import (
	"context"
	"fmt"

	"agentstack/app/internal/config"
	"agentstack/app/internal/postgres"
)

func (p process) migrate(ctx context.Context) error {
	settings, err := config.ReadMigrate(p.env)
	if err != nil {
		return usageError{fmt.Errorf("invalid configuration:\n%w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, settings.Timeout)
	defer cancel()
	return postgres.Migrate(ctx, settings.DatabaseURL, p.logger(settings.LogLevel))
}
