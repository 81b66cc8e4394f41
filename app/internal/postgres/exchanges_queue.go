package postgres

import (
	"context"
	"fmt"
	"sync"
)

const (
	// maxWriters is the number of transactions that insert exchanges at the same time.
	maxWriters = 2
	// maxBatchRows and maxBatchBytes bound a transaction. A row of more bytes is a batch of its own.
	maxBatchRows  = 256
	maxBatchBytes = 8 << 20
)

// queue gathers rows while others are being committed. A row that comes when a writer is free is written at once.
// Writers end when there is nothing to write.
type queue struct {
	// insert reports each row's end on its channel.
	insert func(context.Context, []*row)

	mutex   sync.Mutex
	waiting []queued
	busy    int
	writers sync.WaitGroup
}

type queued struct {
	row *row
	ctx context.Context
}

// write returns when the row is committed, or ctx ends; then the row may still be written.
func (q *queue) write(ctx context.Context, row *row) error {
	q.add(queued{row, ctx})
	select {
	case err := <-row.written:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the insert of an exchange: %w", ctx.Err())
	}
}

func (q *queue) add(item queued) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.waiting = append(q.waiting, item)
	if q.busy < maxWriters {
		q.busy++
		q.writers.Go(q.work)
	}
}

func (q *queue) work() {
	for {
		ctx, rows := q.take()
		if len(rows) == 0 {
			return
		}
		q.insert(ctx, rows)
	}
}

// take returns the next batch, or nothing when the writer must end. The batch is in the trace of its first row, and
// goes on when that row's client is gone.
func (q *queue) take() (context.Context, []*row) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if len(q.waiting) == 0 {
		q.busy--
		return nil, nil
	}
	var rows []*row
	bytes := 0
	for _, item := range q.waiting {
		bytes += item.row.bytes()
		if len(rows) == maxBatchRows || (len(rows) > 0 && bytes > maxBatchBytes) {
			break
		}
		rows = append(rows, item.row)
	}
	ctx := context.WithoutCancel(q.waiting[0].ctx)
	rest := copy(q.waiting, q.waiting[len(rows):])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return ctx, rows
}
