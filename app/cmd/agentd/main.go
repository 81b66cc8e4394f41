// Command agentd is the AI agent API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"agentstack/app/internal/config"
	"agentstack/app/internal/judge"
)

// version is set by the linker.
var version = "dev"

const usage = `usage: agentd <command>

  serve        serve the API
  migrate      bring the database schema up to date
  healthcheck  exit 0 if the API on this host is healthy, 1 if not [--url http://127.0.0.1:8000/health]
  backup       back the database up to a bucket, verify the backup and remove old ones
  backups      list the backups
  restore      make a new database from a backup and verify it [--backup id|latest --database name]
  guard        delete the pod of a primary of PostgreSQL whose data volume is read-only
  judge        compare a canary with the stable version, exit 0 if it may take that one's place, else take it away
  install      copy this program into a folder [folder]
  version      print the version

Configuration comes from the environment; a command lists what is missing or wrong.
`

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// process is what a command may use of the operating system, so that tests can give it their own.
type process struct {
	env            config.Env
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	p := process{env: os.LookupEnv, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// run executes a command and returns the exit code. The end of ctx asks it to stop in good order.
func (p process) run(ctx context.Context, args []string) int {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "serve":
		err = p.withoutArgs(args, func() error { return p.serve(ctx) })
	case "migrate":
		err = p.withoutArgs(args, func() error { return p.migrate(ctx) })
	case "healthcheck":
		err = p.healthcheck(ctx, args)
	case "backup":
		err = p.withoutArgs(args, func() error { return p.backup(ctx) })
	case "backups":
		err = p.withoutArgs(args, func() error { return p.listBackups(ctx) })
	case "restore":
		err = p.restore(ctx, args)
	case "guard":
		err = p.withoutArgs(args, func() error { return p.guard(ctx, serviceAccount) })
	case "judge":
		err = p.withoutArgs(args, func() error { return p.judge(ctx, serviceAccount, judge.Interval) })
	case "install":
		err = p.install(args)
	case "version":
		_, err = fmt.Fprintln(p.stdout, version)
	default:
		err = usageError{errors.New("unknown command " + fmt.Sprintf("%q", command) + "\n\n" + usage)}
	}
	return p.exit(err)
}

// usageError is an error of whoever started the process: arguments or configuration.
type usageError struct{ error }

func (p process) withoutArgs(args []string, command func() error) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q\n\n%s", args[0], usage)}
	}
	return command()
}

func (p process) exit(err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(p.stderr, "agentd: %v\n", err)
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailure
}

func (p process) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(p.stdout, &slog.HandlerOptions{Level: level}))
}
