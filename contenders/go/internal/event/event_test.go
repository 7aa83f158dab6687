package event

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	entity := `{"entityType":"Car","entityId":"c-1","updatedAttributes":{"a":1}}`
	with := func(header, entities string) string {
		return `{"eventHeader":` + header + `,"eventBody":{"entities":[` + entities + `]}}`
	}
	named := func(more string) string { return `{"eventName":"CarCreated"` + more + `}` }
	for _, c := range []struct{ name, body, want string }{
		{"whole", with(named(`,"createdDate":"2024-01-15T10:30:00Z","savedDate":1705314605000`), entity), ""},
		{"offset", with(named(`,"createdDate":"2024-01-15T10:30:00.5+02:00"`), entity), ""},
		{"milliseconds as text", with(named(`,"savedDate":"1705314605000"`), entity), ""},
		{"no dates", with(named(`,"createdDate":null,"savedDate":""`), entity), ""},
		{"no attributes", with(named(""), `{"entityType":"Car","entityId":"c-1"}`), ""},
		{"unknown fields", with(named(`,"x":1`), entity), ""},
		{"no JSON", `{`, "not a valid event"},
		{"no header", `{"eventBody":{"entities":[]}}`, "eventHeader is required"},
		{"no name", with(`{}`, entity), "eventHeader.eventName must not be empty"},
		{"bad date", with(named(`,"createdDate":"yesterday"`), entity), "eventHeader.createdDate"},
		{"negative date", with(named(`,"savedDate":-1`), entity), "eventHeader.savedDate"},
		{"a date with a fraction", with(named(`,"savedDate":1.5`), entity), "eventHeader.savedDate"},
		{"no body", `{"eventHeader":{"eventName":"x"}}`, "eventBody is required"},
		{"no entities", with(named(""), ""), "eventBody.entities must not be empty"},
		{"no id", with(named(""), entity+`,{"entityType":"Car"}`), "eventBody.entities[1].entityId must not be empty"},
		{"long id", with(named(""), `{"entityType":"Car","entityId":"`+strings.Repeat("ü", 256)+`"}`), "at most 255 characters"},
		{"longest id", with(named(""), `{"entityType":"Car","entityId":"`+strings.Repeat("ü", 255)+`"}`), ""},
		{"null attributes", with(named(""), `{"entityType":"Car","entityId":"c","updatedAttributes":null}`), "must be a JSON object"},
		{"array for attributes", with(named(""), `{"entityType":"Car","entityId":"c","updatedAttributes":[]}`), "must be a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.body))
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("want %q, got %v", c.want, err)
			}
		})
	}
}
