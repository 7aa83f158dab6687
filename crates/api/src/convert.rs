//! Protocol Buffers messages to domain types. The rules are `domain`'s; here fields only find their places.

use domain::{
    Attributes, BodyDraft, EntityDraft, Event, EventDraft, Field, HeaderDraft, Invalid, Part,
};

use crate::event::{EntityUpdate, EventBody, EventHeader, EventRequest};

impl TryFrom<EventRequest> for Event {
    type Error = Invalid;

    /// Checks the request as REST checks its body, with the same messages for the same faults.
    fn try_from(request: EventRequest) -> Result<Self, Invalid> {
        Event::new(EventDraft {
            header: part(request.event_header.map(header)),
            body: part(request.event_body.map(body)),
        })
    }
}

fn part<T>(value: Option<T>) -> Part<T> {
    value.map_or(Part::Absent, Part::Present)
}

fn text<'a>(value: String) -> Field<'a> {
    Field::Text(value.into())
}

fn header<'a>(header: EventHeader) -> HeaderDraft<'a> {
    HeaderDraft {
        uuid: text(header.uuid),
        event_name: text(header.event_name),
        created_date: text(header.created_date),
        saved_date: text(header.saved_date),
        event_type: text(header.event_type),
    }
}

fn body<'a>(body: EventBody) -> BodyDraft<'a> {
    let entities = body
        .entities
        .into_iter()
        .map(|update| Part::Present(entity(update)));
    BodyDraft {
        entities: Part::Present(entities.collect()),
    }
}

fn entity<'a>(update: EntityUpdate) -> EntityDraft<'a> {
    EntityDraft {
        entity_type: text(update.entity_type),
        entity_id: text(update.entity_id),
        updated_attributes: match update.updated_attributes {
            none if none.is_empty() => Attributes::Absent,
            strings => Attributes::Strings(strings),
        },
        attributes_json: update.attributes_json,
    }
}
