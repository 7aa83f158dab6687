//! Events whose values satisfy every rule of the contract.

use std::borrow::Cow;

use crate::{
    attributes, date,
    draft::{Attributes, EntityDraft, EventDraft, Field, HeaderDraft, Part},
    invalid::Invalid,
    json::{self, ReadEvent},
};

/// The longest entity type and entity id, in characters: the width of their columns.
const MAX_KEY_CHARS: usize = 255;

/// A valid event: one or more entity updates that are stored together or not at all. Header values are checked
/// and not kept, since nothing stores them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    entities: Vec<EntityUpdate>,
}

/// A valid entity update: which entity, and the attributes to merge into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityUpdate {
    entity_type: String,
    entity_id: String,
    attributes: String,
}

impl Event {
    /// Parses and checks one event in JSON.
    ///
    /// # Errors
    /// The first fault: bad JSON, else the first broken rule in the order of the schema.
    pub fn from_json(body: &[u8]) -> Result<Self, Invalid> {
        Self::from_read(json::read_event(body)?)
    }

    pub(crate) fn from_read(read: ReadEvent<'_>) -> Result<Self, Invalid> {
        let draft = read
            .draft
            .ok_or_else(|| Invalid::new("the event", MUST_BE_OBJECT))?;
        let event = Self::new(draft)?;
        if read.lone_surrogate {
            // In a part that is ignored: nothing would store it, but it is no Unicode text.
            return Err(Invalid::new(
                "the event",
                attributes::Fault::LoneSurrogate.problem(),
            ));
        }
        Ok(event)
    }

    /// Checks an event that was sent, whatever the protocol.
    ///
    /// # Errors
    /// The first broken rule in the order of the schema: header before body; uuid, eventName, createdDate,
    /// savedDate, eventType; for each entity entityType, entityId, updatedAttributes, attributesJson.
    pub fn new(draft: EventDraft<'_>) -> Result<Self, Invalid> {
        check_header(required(draft.header, "eventHeader")?)?;
        let body = required(draft.body, "eventBody")?;
        let drafts = match body.entities {
            Part::Present(drafts) if !drafts.is_empty() => drafts,
            Part::Wrong => return Err(Invalid::new("eventBody.entities", "must be a JSON array")),
            Part::Present(_) | Part::Absent => {
                return Err(Invalid::new("eventBody.entities", MUST_NOT_BE_EMPTY));
            }
        };
        let mut entities = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.into_iter().enumerate() {
            let update = match draft {
                Part::Present(draft) => EntityUpdate::new(draft),
                Part::Absent | Part::Wrong => Err(("", Cow::Borrowed(MUST_BE_OBJECT))),
            };
            entities.push(update.map_err(|(field, problem)| {
                let dot = if field.is_empty() { "" } else { "." };
                Invalid::new(format!("eventBody.entities[{index}]{dot}{field}"), problem)
            })?);
        }
        Ok(Self { entities })
    }

    /// The updates, at least one, in the order sent.
    #[must_use]
    pub fn entities(&self) -> &[EntityUpdate] {
        &self.entities
    }

    /// The updates, at least one, in the order sent.
    #[must_use]
    pub fn into_entities(self) -> Vec<EntityUpdate> {
        self.entities
    }

    /// About how many bytes the event's texts take, for bounds on memory.
    #[must_use]
    pub fn size_hint_bytes(&self) -> usize {
        self.entities
            .iter()
            .map(EntityUpdate::size_hint_bytes)
            .sum()
    }
}

impl EntityUpdate {
    fn new(draft: EntityDraft<'_>) -> Result<Self, (&'static str, Cow<'static, str>)> {
        let key = |name: &'static str, field| key_text(field).map_err(|p| (name, Cow::Borrowed(p)));
        let entity_type = key("entityType", draft.entity_type)?;
        let entity_id = key("entityId", draft.entity_id)?;
        let updated = updated_attributes(draft.updated_attributes)
            .map_err(|problem| ("updatedAttributes", Cow::Borrowed(problem)))?;
        let json = attributes::from_bytes(draft.attributes_json)
            .map_err(|problem| ("attributesJson", problem))?;
        let attributes = match (updated, json) {
            (Some(strings), Some(json)) => attributes::fold([strings.as_str(), json.as_str()]),
            (one, other) => one.or(other).unwrap_or_else(|| "{}".to_owned()),
        };
        Ok(Self {
            entity_type,
            entity_id,
            attributes,
        })
    }

    /// 1 to 255 characters.
    #[must_use]
    pub fn entity_type(&self) -> &str {
        &self.entity_type
    }

    /// 1 to 255 characters, unique within its type.
    #[must_use]
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// The text of a JSON object that PostgreSQL takes as `jsonb`. Keys may be repeated: the last counts.
    #[must_use]
    pub fn attributes(&self) -> &str {
        &self.attributes
    }

    /// Type, id and attributes.
    #[must_use]
    pub fn into_parts(self) -> (String, String, String) {
        (self.entity_type, self.entity_id, self.attributes)
    }

    /// About how many bytes the update's texts take.
    #[must_use]
    pub fn size_hint_bytes(&self) -> usize {
        self.entity_type.len() + self.entity_id.len() + self.attributes.len()
    }
}

const MUST_BE_OBJECT: &str = "must be a JSON object";
const MUST_BE_STRING: &str = "must be a string";
const MUST_NOT_BE_EMPTY: &str = "must not be empty";

fn required<T>(part: Part<T>, name: &'static str) -> Result<T, Invalid> {
    match part {
        Part::Present(value) => Ok(value),
        Part::Absent => Err(Invalid::new(name, "is required")),
        Part::Wrong => Err(Invalid::new(name, MUST_BE_OBJECT)),
    }
}

fn check_header(header: HeaderDraft<'_>) -> Result<(), Invalid> {
    let in_field = |path: &'static str| move |problem: &'static str| Invalid::new(path, problem);
    text(header.uuid).map_err(in_field("eventHeader.uuid"))?;
    non_empty(header.event_name).map_err(in_field("eventHeader.eventName"))?;
    date::check(&header.created_date).map_err(in_field("eventHeader.createdDate"))?;
    date::check(&header.saved_date).map_err(in_field("eventHeader.savedDate"))?;
    text(header.event_type).map_err(in_field("eventHeader.eventType"))?;
    Ok(())
}

/// The text of a field; empty when there is none, as Protocol Buffers cannot tell the two apart.
fn text(field: Field<'_>) -> Result<Cow<'_, str>, &'static str> {
    match field {
        Field::Absent => Ok(Cow::Borrowed("")),
        Field::Text(text) if memchr::memchr(0, text.as_bytes()).is_none() => Ok(text),
        Field::Text(_) => Err(attributes::Fault::Nul.problem()),
        Field::LoneSurrogate => Err(attributes::Fault::LoneSurrogate.problem()),
        Field::Number(_) | Field::Wrong => Err(MUST_BE_STRING),
    }
}

fn non_empty(field: Field<'_>) -> Result<Cow<'_, str>, &'static str> {
    let text = text(field)?;
    if text.is_empty() {
        Err(MUST_NOT_BE_EMPTY)
    } else {
        Ok(text)
    }
}

fn key_text(field: Field<'_>) -> Result<String, &'static str> {
    let text = non_empty(field)?;
    // Counting characters is only worth it where there are more bytes than that.
    if text.len() > MAX_KEY_CHARS && text.chars().count() > MAX_KEY_CHARS {
        return Err("must be at most 255 characters");
    }
    Ok(text.into_owned())
}

fn updated_attributes(attributes: Attributes<'_>) -> Result<Option<String>, &'static str> {
    match attributes {
        Attributes::Absent => Ok(None),
        Attributes::Json(value) => match value.object() {
            None => Err(MUST_BE_OBJECT),
            Some(Err(fault)) => Err(fault.problem()),
            Some(Ok(text)) => Ok(Some(text.to_owned())),
        },
        Attributes::Strings(strings) => {
            let nul = |text: &String| memchr::memchr(0, text.as_bytes()).is_some();
            if strings.iter().any(|(key, value)| nul(key) || nul(value)) {
                return Err(attributes::Fault::Nul.problem());
            }
            // A map of texts always serializes.
            Ok(Some(serde_json::to_string(&strings).unwrap_or_default()))
        }
    }
}
