package postgres

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Observe takes the duration of a statement, from its sending to its result, by its verb and its table.
type Observe func(operation, table string, duration time.Duration)

// observer tells Observe of every statement on a table. Those of transactions and settings have none.
type observer struct {
	observe Observe
	known   sync.Map // of SQL texts, which are a fixed set, to their target
}

type target struct{ operation, table string }

// startedKey is the context key of when a statement or a batch was sent.
type startedKey struct{}

var (
	changing = regexp.MustCompile(`(?i)\b(INSERT) INTO (\w+)|\b(UPDATE) (\w+) SET\b|\b(DELETE) FROM (\w+)`)
	reading  = regexp.MustCompile(`(?i)\b(SELECT)\b[\s\S]*?\bFROM (\w+)`)
)

func (o *observer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, startedKey{}, started{data.SQL, time.Now()})
}

// started is a statement that was sent; a batch has no SQL of its own.
type started struct {
	sql string
	at  time.Time
}

func (o *observer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	statement := ctx.Value(startedKey{}).(started)
	o.record(statement.sql, statement.at)
}

func (o *observer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return context.WithValue(ctx, startedKey{}, started{at: time.Now()})
}

func (o *observer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	o.record(data.SQL, ctx.Value(startedKey{}).(started).at)
}

func (o *observer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (o *observer) record(sql string, began time.Time) {
	found, ok := o.known.Load(sql)
	if !ok {
		found, _ = o.known.LoadOrStore(sql, targetOf(sql))
	}
	if t := found.(target); t.table != "" {
		o.observe(t.operation, t.table, time.Since(began))
	}
}

// targetOf finds the table that a statement changes, or else the one it reads first.
func targetOf(sql string) target {
	match := changing.FindStringSubmatch(sql)
	if match == nil {
		match = reading.FindStringSubmatch(sql)
	}
	var words []string
	for _, word := range match {
		if word != "" {
			words = append(words, strings.ToLower(word))
		}
	}
	if len(words) < 3 {
		return target{}
	}
	return target{words[1], words[2]}
}
