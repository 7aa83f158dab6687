// Package testdb gives tests a real PostgreSQL.
package testdb

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/contenders/go/internal/store"
)

// variable names the database of the tests; scripts/test.sh starts one.
const variable = "TEST_DATABASE_URL"

// Open connects a store to it, until the test ends. Without a database the test is skipped, in CI it fails.
func Open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url(t), 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Type is an entity type that no other test has.
func Type(t *testing.T) string {
	return fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano())
}

// Attributes are those of a stored entity; nil where there is none.
func Attributes(t *testing.T, kind, id string) map[string]any {
	t.Helper()
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, url(t))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(ctx)
	var text []byte
	err = connection.QueryRow(ctx, "SELECT data FROM car_entities WHERE entity_type = $1 AND id = $2", kind, id).Scan(&text)
	if err == pgx.ErrNoRows {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var found map[string]any
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func url(t *testing.T) string {
	t.Helper()
	if found := os.Getenv(variable); found != "" {
		return found
	}
	if ci := os.Getenv("CI"); ci != "" && ci != "0" && ci != "false" {
		t.Fatal(variable + " is not set, and CI leaves no test out")
	}
	t.Skip(variable + " is not set: scripts/test.sh sets it")
	return ""
}
