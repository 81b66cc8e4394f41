package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	// The images of PostgreSQL that the backup runs in may have no certificates of authorities.
	_ "golang.org/x/crypto/x509roots/fallback"

	"agentstack/app/internal/backup"
	"agentstack/app/internal/config"
	"agentstack/app/internal/pgdump"
	"agentstack/app/internal/s3"
)

// backup makes a backup and removes old ones.
func (p process) backup(ctx context.Context) error {
	service, err := p.backups(p.stdout)
	if err != nil {
		return err
	}
	_, err = service.Create(ctx)
	return err
}

// listBackups prints the complete backups, those that it can read also beside an error.
func (p process) listBackups(ctx context.Context) error {
	service, err := p.backups(p.stderr)
	if err != nil {
		return err
	}
	manifests, err := service.List(ctx)
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tFINISHED\tSIZE\tTABLES\tROWS")
	for _, m := range manifests {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\n", m.ID, m.FinishedAt.Format("2006-01-02 15:04:05 MST"), m.Size,
			len(m.Tables), m.Rows())
	}
	if flushed := table.Flush(); flushed != nil {
		return fmt.Errorf("print backups: %w", flushed)
	}
	return err
}

// restore makes a database from a backup and prints its tables.
func (p process) restore(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("restore", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is printed with the usage
	id := flags.String("backup", "", "")
	database := flags.String("database", "", "")
	err := flags.Parse(args)
	switch {
	case err != nil:
		return usageError{fmt.Errorf("%w\n\n%s", err, usage)}
	case *id == "" || *database == "" || flags.NArg() > 0:
		return usageError{fmt.Errorf("give --backup and --database\n\n%s", usage)}
	}
	if err := backup.ValidateDatabase(*database); err != nil {
		return usageError{err}
	}
	service, err := p.backups(p.stderr)
	if err != nil {
		return err
	}
	manifest, err := service.Restore(ctx, *id, *database)
	if err != nil {
		return fmt.Errorf("%w\nNo database was changed. Remove the cause and restore again, "+
			"or restore another backup: agentd backups lists them", err)
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TABLE\tROWS\tRESULT")
	for _, t := range manifest.Tables {
		fmt.Fprintf(table, "%s\t%d\tidentical\n", t, t.Rows)
	}
	fmt.Fprintf(table, "\nDatabase %s is backup %s. No other database was changed.\n", *database, manifest.ID)
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print tables: %w", err)
	}
	return nil
}

// backups connects the backups with their database and store.
func (p process) backups(logs io.Writer) (*backup.Service, error) {
	settings, err := config.ReadBackup(p.env)
	if err != nil {
		return nil, usageError{fmt.Errorf("invalid configuration:\n%w", err)}
	}
	log := slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: settings.LogLevel}))
	server, err := pgdump.New(settings.DatabaseURL, log)
	if err != nil {
		return nil, err
	}
	store, err := s3.New(s3.Options{
		Endpoint: settings.Store.Endpoint, Region: settings.Store.Region, Bucket: settings.Store.Bucket,
		AccessKeyID: settings.Store.AccessKeyID, SecretAccessKey: settings.Store.SecretAccessKey,
	})
	if err != nil {
		return nil, err
	}
	return &backup.Service{
		Source: server, Target: server, Store: store, Prefix: settings.Store.Prefix,
		Retention: settings.Retention, Version: version, Log: log,
	}, nil
}
