package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"weir/contenders/go/internal/event"
	"weir/contenders/go/internal/service"
	"weir/contenders/go/internal/store"
	"weir/contenders/go/internal/testdb"
)

func an(entities ...event.Entity) *event.Event {
	return &event.Event{Body: &event.Body{Entities: entities}}
}

func entity(kind, id, attributes string) event.Entity {
	return event.Entity{Type: kind, ID: id, Attributes: json.RawMessage(attributes)}
}

// Both ways of writing merge in the database: what 64 senders change at once is all there afterwards.
func TestConcurrentMergesIntoOneEntityLoseNothing(t *testing.T) {
	s := testdb.Open(t)
	for name, writer := range map[string]service.Writer{"single": s, "batch": store.NewBatches(t.Context(), s)} {
		t.Run(name, func(t *testing.T) {
			kind := testdb.Type(t)
			var senders sync.WaitGroup
			failures := make(chan error, 64)
			for n := range 64 {
				senders.Go(func() {
					failures <- writer.Write(t.Context(), an(entity(kind, "one", fmt.Sprintf(`{"k%d":%d}`, n, n))))
				})
			}
			senders.Wait()
			close(failures)
			for err := range failures {
				if err != nil {
					t.Fatal(err)
				}
			}
			if found := testdb.Attributes(t, kind, "one"); len(found) != 64 {
				t.Fatalf("%d of 64 attributes are there", len(found))
			}
		})
	}
}

func TestSeveralEntitiesAreStoredTogetherOrNotAtAll(t *testing.T) {
	s := testdb.Open(t)
	kind := testdb.Type(t)
	whole := an(entity(kind, "b", `{"n":1}`), entity(kind, "a", `{"n":1}`), entity(kind, "b", `{"n":2}`))
	if err := s.Write(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	if found := testdb.Attributes(t, kind, "b"); found["n"] != 2.0 {
		t.Fatalf("the later of two changes counts, not %v", found)
	}
	// PostgreSQL's text has no NUL.
	err := s.Write(t.Context(), an(entity(kind, "c", `{"n":1}`), entity(kind, "d", `{"n":"\u0000"}`)))
	var invalid event.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("not the sender's fault: %v", err)
	}
	if found := testdb.Attributes(t, kind, "c"); found != nil {
		t.Fatalf("half of an event is stored: %v", found)
	}
}

func TestAnAbsentDatabaseIsToldAsSuch(t *testing.T) {
	s := testdb.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Write(ctx, an(entity(testdb.Type(t), "x", `{}`)))
	if kind, _ := service.Told(err); kind != service.Unavailable {
		t.Fatalf("%v is told as %v", err, kind)
	}
}
