// Package store writes events to PostgreSQL. Updates merge in the database, under the row's lock: nothing is read first,
// so that concurrent events for one entity cannot lose each other's changes.
package store

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/contenders/go/internal/event"
)

// upsert takes the columns of one or many rows, no key twice.
const upsert = `/* contender go: store.upsert */
INSERT INTO car_entities (entity_type, id, data)
SELECT t, i, d::jsonb FROM unnest($1::text[], $2::text[], $3::text[]) AS new (t, i, d)
ON CONFLICT (entity_type, id) DO UPDATE
SET data = car_entities.data || excluded.data, updated_at = now()`

// upsertOne is the same for the one row that most events have: PostgreSQL plans no arrays.
const upsertOne = `/* contender go: store.upsert_one */
INSERT INTO car_entities (entity_type, id, data) VALUES ($1, $2, $3)
ON CONFLICT (entity_type, id) DO UPDATE
SET data = car_entities.data || excluded.data, updated_at = now()`

// schema is that of postgres/migrations/ingest; a table that is there is kept with all it holds.
//
//go:embed schema.sql
var schema string

// ErrUnavailable says that the database could not be asked, or did not say what became of the event.
var ErrUnavailable = errors.New("the database is unavailable")

// Store is a pool of connections.
type Store struct{ pool *pgxpool.Pool }

// Open connects, waiting up to 30 s for the database, and applies the schema.
func Open(ctx context.Context, url string, connections int32) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns, config.MinConns = connections, connections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7264317)"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, schema)
			return err
		})
		var refused *pgconn.PgError
		if err == nil || errors.As(err, &refused) || time.Now().After(deadline) {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &Store{pool}, nil
}

// Close ends the connections.
func (s *Store) Close() { s.pool.Close() }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Write stores one event: a statement, which is a transaction of its own, for as many entities as it has.
func (s *Store) Write(ctx context.Context, e *event.Event) error {
	entities := sorted(e.Body.Entities)
	if !repeats(entities) {
		return s.exec(ctx, s.pool, entities)
	}
	// The same key twice in one statement is an error of PostgreSQL's: one statement each, one transaction for all.
	return told(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for i := range entities {
			if err := s.exec(ctx, tx, entities[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	}))
}

type executor interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
}

func (s *Store) exec(ctx context.Context, on executor, entities []event.Entity) error {
	if len(entities) == 1 {
		e := entities[0]
		_, err := on.Exec(ctx, upsertOne, e.Type, e.ID, string(e.Attributes))
		return told(err)
	}
	types, ids, data := make([]string, len(entities)), make([]string, len(entities)), make([]string, len(entities))
	for i, e := range entities {
		types[i], ids[i], data[i] = e.Type, e.ID, string(e.Attributes)
	}
	_, err := on.Exec(ctx, upsert, types, ids, data)
	return told(err)
}

// sorted brings rows into key order: two transactions that lock rows in one order cannot deadlock. Stable, so that updates
// of one entity keep the order in which they were sent.
func sorted(entities []event.Entity) []event.Entity {
	if len(entities) < 2 {
		return entities
	}
	rows := slices.Clone(entities)
	slices.SortStableFunc(rows, byKey)
	return rows
}

func byKey(a, b event.Entity) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
}

func repeats(rows []event.Entity) bool {
	for i := 1; i < len(rows); i++ {
		if byKey(rows[i-1], rows[i]) == 0 {
			return true
		}
	}
	return false
}

// told turns what the driver says into what the caller can act on. Class 22 of PostgreSQL's codes is the event's own fault.
func told(err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, ErrUnavailable):
		return err
	case errors.As(err, &refused) && refused.Code[:2] == "22":
		return event.Invalid("updatedAttributes cannot be stored: " + refused.Message)
	case errors.As(err, &refused) && refused.Code[:2] != "57" && refused.Code[:2] != "53":
		return err
	}
	return errors.Join(ErrUnavailable, err)
}
