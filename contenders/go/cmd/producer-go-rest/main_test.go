package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/contenders/go/internal/testdb"
)

func post(t *testing.T, url, kind, body string) (int, map[string]any) {
	t.Helper()
	response, err := http.Post(url, kind, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return response.StatusCode, answer
}

func TestEventsAreStoredAndWhatIsWrongIsNamed(t *testing.T) {
	server := httptest.NewServer(routes(testdb.Open(t)))
	defer server.Close()
	kind := testdb.Type(t)
	with := func(id, attributes string) string {
		return fmt.Sprintf(`{"eventHeader":{"eventName":"CarCreated"},"eventBody":{"entities":[{"entityType":%q,"entityId":%q,"updatedAttributes":%s}]}}`,
			kind, id, attributes)
	}
	one, bulk := server.URL+"/api/v1/events", server.URL+"/api/v1/events/bulk"

	if status, answer := post(t, one, "application/json", with("a", `{"year":2024}`)); status != 200 || answer["success"] != true {
		t.Fatalf("%d %v", status, answer)
	}
	if found := testdb.Attributes(t, kind, "a"); found["year"] != 2024.0 {
		t.Fatalf("stored: %v", found)
	}
	for _, c := range []struct {
		kind, body string
		status     int
		named      string
	}{
		{"application/json", `{"eventBody":{"entities":[]}}`, 400, "eventHeader is required"},
		{"application/json", with("", `{}`), 400, "entityId"},
		{"text/plain", with("b", `{}`), 415, "Content-Type"},
		{"application/json", strings.Repeat(" ", 1<<20+1), 413, "exceeds"},
	} {
		status, answer := post(t, one, c.kind, c.body)
		if status != c.status || !strings.Contains(fmt.Sprint(answer["message"]), c.named) {
			t.Errorf("%d %v, expected %d and %q", status, answer, c.status, c.named)
		}
	}
	status, answer := post(t, bulk, "application/json", "["+with("c", `{}`)+","+with("", `{}`)+","+with("d", `{}`)+"]")
	if status != 200 || answer["processedCount"] != 2.0 || answer["failedCount"] != 1.0 {
		t.Fatalf("%d %v", status, answer)
	}
	response, err := http.Get(one + "/health")
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v %v", response, err)
	}
	response.Body.Close()
}
