// Package event holds what an event is, and which one is refused.
package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Event is one atomic unit of work: its entities are stored together or not at all.
type Event struct {
	Header *Header `json:"eventHeader"`
	Body   *Body   `json:"eventBody"`
}

// Header is checked and not stored.
type Header struct {
	Name    string          `json:"eventName"`
	Created json.RawMessage `json:"createdDate"`
	Saved   json.RawMessage `json:"savedDate"`
}

// Body lists the entities that the event changes.
type Body struct {
	Entities []Entity `json:"entities"`
}

// Entity is one row: its key, and a JSON object whose top-level keys replace those stored.
type Entity struct {
	Type       string          `json:"entityType"`
	ID         string          `json:"entityId"`
	Attributes json.RawMessage `json:"updatedAttributes"`
}

// Invalid is what the sender did wrong, with the path of the field in JSON names.
type Invalid string

func (i Invalid) Error() string { return string(i) }

// maxKey is the width of the key's columns, in characters.
const maxKey = 255

// Parse reads one event and checks it.
func Parse(body []byte) (*Event, error) {
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, Invalid("the body is not a valid event: " + err.Error())
	}
	return &e, e.Check()
}

// Check says what is wrong with the event: the first fault in document order.
func (e *Event) Check() error {
	if e.Header == nil {
		return Invalid("eventHeader is required")
	}
	if e.Header.Name == "" {
		return Invalid("eventHeader.eventName must not be empty")
	}
	if !validDate(e.Header.Created) {
		return Invalid("eventHeader.createdDate must be an RFC 3339 date or milliseconds since 1970")
	}
	if !validDate(e.Header.Saved) {
		return Invalid("eventHeader.savedDate must be an RFC 3339 date or milliseconds since 1970")
	}
	if e.Body == nil {
		return Invalid("eventBody is required")
	}
	if len(e.Body.Entities) == 0 {
		return Invalid("eventBody.entities must not be empty")
	}
	for i := range e.Body.Entities {
		if err := e.Body.Entities[i].check(i); err != nil {
			return err
		}
	}
	return nil
}

func (e *Entity) check(i int) error {
	if err := checkKey(e.Type, i, "entityType"); err != nil {
		return err
	}
	if err := checkKey(e.ID, i, "entityId"); err != nil {
		return err
	}
	switch attributes := bytes.TrimSpace(e.Attributes); {
	case len(attributes) == 0:
		e.Attributes = json.RawMessage("{}")
	case attributes[0] != '{':
		return Invalid(fmt.Sprintf("eventBody.entities[%d].updatedAttributes must be a JSON object", i))
	}
	return nil
}

func checkKey(key string, i int, name string) error {
	switch {
	case key == "":
		return Invalid(fmt.Sprintf("eventBody.entities[%d].%s must not be empty", i, name))
	case utf8.RuneCountInString(key) > maxKey:
		return Invalid(fmt.Sprintf("eventBody.entities[%d].%s must be at most %d characters", i, name, maxKey))
	}
	return nil
}

// lastMillisecond is the end of the year 9999.
const lastMillisecond = 253402300799999

// validDate takes RFC 3339, whole milliseconds since 1970 as a number or as text, null and "".
func validDate(raw json.RawMessage) bool {
	text := string(bytes.TrimSpace(raw))
	if text == "" || text == "null" {
		return true
	}
	if text[0] == '"' {
		if json.Unmarshal(raw, &text) != nil {
			return false
		}
		if text == "" {
			return true
		}
		if _, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return true
		}
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	return err == nil && ms >= 0 && ms <= lastMillisecond
}
