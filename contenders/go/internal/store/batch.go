package store

import (
	"context"
	"errors"
	"hash/maphash"

	"weir/contenders/go/internal/event"
)

const (
	writers  = 2
	maxBatch = 256
	queue    = 4096
)

// ErrFull says that more events wait than the queue holds.
var ErrFull = errors.New("the queue is full; try again")

// Batches shares commits: events that wait while a statement runs go into the next one. Each writer owns a part of the keys.
type Batches struct {
	store *Store
	seed  maphash.Seed
	lanes [writers]chan waiting
}

type waiting struct {
	event *event.Event
	done  chan error
}

// NewBatches starts the writers; they end with ctx.
func NewBatches(ctx context.Context, s *Store) *Batches {
	b := &Batches{store: s, seed: maphash.MakeSeed()}
	for i := range b.lanes {
		b.lanes[i] = make(chan waiting, queue)
		go b.write(ctx, b.lanes[i])
	}
	return b
}

// Ping says whether the database answers.
func (b *Batches) Ping(ctx context.Context) error { return b.store.Ping(ctx) }

// Write waits until the event is stored. An event of several entities goes alone: a batch is one statement, and its rows are
// those of one lane.
func (b *Batches) Write(ctx context.Context, e *event.Event) error {
	if len(e.Body.Entities) != 1 {
		return b.store.Write(ctx, e)
	}
	key := e.Body.Entities[0]
	lane := b.lanes[maphash.String(b.seed, key.Type+"\x00"+key.ID)%writers]
	w := waiting{e, make(chan error, 1)}
	select {
	case lane <- w:
	default:
		return ErrFull
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return errors.Join(ErrUnavailable, ctx.Err())
	}
}

func (b *Batches) write(ctx context.Context, lane chan waiting) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-lane:
			b.commit(ctx, b.gather(first, lane))
		}
	}
}

// gather takes all that waits already, and waits for nothing.
func (b *Batches) gather(first waiting, lane chan waiting) []waiting {
	batch := []waiting{first}
	for len(batch) < maxBatch {
		select {
		case next := <-lane:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// commit writes the batch in rounds without a repeated key, so that updates of one entity keep their order.
func (b *Batches) commit(ctx context.Context, batch []waiting) {
	for len(batch) > 0 {
		var round, later []waiting
		var rows []event.Entity
		seen := make(map[[2]string]bool, len(batch))
		for _, w := range batch {
			row := w.event.Body.Entities[0]
			if key := [2]string{row.Type, row.ID}; seen[key] {
				later = append(later, w)
			} else {
				seen[key] = true
				round, rows = append(round, w), append(rows, row)
			}
		}
		err := b.store.exec(ctx, b.store.pool, sorted(rows))
		for _, w := range round {
			var invalid event.Invalid
			if errors.As(err, &invalid) {
				// one event of the round is at fault: each is tried alone
				w.done <- b.store.Write(ctx, w.event)
			} else {
				w.done <- err
			}
		}
		batch = later
	}
}
