package pgdump

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// extensionEntry matches the lines of an archive's table of contents that make an extension or comment on it.
var extensionEntry = regexp.MustCompile(`^\d+; \d+ \d+ (?:COMMENT - )?EXTENSION (?:- )?(\S+)`)

// Restore implements backup.Target. Everything belongs to owner afterwards. Left out is what belongs to the server
// and not to the data: privileges of other roles, tablespaces, publications, subscriptions, security labels, and
// the extensions that the database already has from template1.
func (s *Server) Restore(ctx context.Context, database, owner string, archive io.Reader) error {
	// The table of contents is at the start: what is read for it is kept and read again.
	var head bytes.Buffer
	contents, err := s.contents(ctx, io.TeeReader(archive, &head))
	if err != nil {
		return err
	}
	extensions, err := s.extensions(ctx, database)
	if err != nil {
		return err
	}
	list, err := writeTemporary(without(contents, extensions))
	if err != nil {
		return err
	}
	defer os.Remove(list)
	restore := s.program(ctx, "pg_restore", "--dbname="+database, "--use-list="+list, "--exit-on-error",
		"--no-password", "--no-owner", "--role="+owner, "--no-privileges", "--no-tablespaces",
		"--no-publications", "--no-subscriptions", "--no-security-labels")
	restore.Stdin = io.MultiReader(&head, archive)
	if err := restore.result(restore.Run()); err != nil {
		if strings.Contains(restore.message.String(), "permission denied to create extension") {
			return fmt.Errorf("%w\nOnly a superuser can make this extension: "+
				"make it in the database template1, which new databases are copies of", err)
		}
		return err
	}
	if message := restore.message.String(); message != "" {
		s.log.Warn("pg_restore", "message", message)
	}
	return nil
}

// contents returns the table of contents of an archive.
func (s *Server) contents(ctx context.Context, archive io.Reader) (string, error) {
	var contents bytes.Buffer
	list := s.program(ctx, "pg_restore", "--list")
	list.Stdin, list.Stdout = archive, &contents
	if err := list.result(list.Run()); err != nil {
		return "", fmt.Errorf("read table of contents: %w", err)
	}
	return contents.String(), nil
}

// extensions returns the names of the extensions of a database.
func (s *Server) extensions(ctx context.Context, database string) ([]string, error) {
	var names []string
	err := s.with(ctx, database, func(connection *pgx.Conn) error {
		rows, err := connection.Query(ctx, "SELECT extname::text FROM pg_extension")
		if err != nil {
			return fmt.Errorf("list extensions: %w", err)
		}
		if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return fmt.Errorf("list extensions: %w", err)
		}
		return nil
	})
	return names, err
}

// without takes the entries of extensions out of a table of contents.
func without(contents string, extensions []string) string {
	var kept strings.Builder
	for line := range strings.Lines(contents) {
		entry := extensionEntry.FindStringSubmatch(line)
		if entry == nil || !slices.Contains(extensions, entry[1]) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func writeTemporary(content string) (string, error) {
	file, err := os.CreateTemp("", "contents-*.list")
	if err != nil {
		return "", fmt.Errorf("write table of contents: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteString(content); err != nil {
		os.Remove(file.Name())
		return "", fmt.Errorf("write table of contents: %w", err)
	}
	return file.Name(), nil
}
