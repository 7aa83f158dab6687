//! An event's JSON into its draft.
//!
//! `serde_json` checks the syntax of the whole text first, without building anything. The cursor here then walks
//! text that is known to be well-formed, and keeps what derived decoding could not: the last of repeated keys,
//! wrong types as findings rather than errors (so that the first fault in the order of the schema is the one
//! reported), numbers of any size, and attributes as the text they are.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::{
    attributes::Scanned,
    draft::{Attributes, BodyDraft, EntityDraft, EventDraft, Field, HeaderDraft, Part},
    invalid::Invalid,
    scan::{self, Scan},
};

/// The body as text of well-formed JSON.
pub(crate) fn checked(body: &[u8]) -> Result<&str, Invalid> {
    let text = utf8(body)?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(IgnoredAny) => Ok(text),
        Err(error) => Err(malformed(&error)),
    }
}

pub(crate) fn utf8(body: &[u8]) -> Result<&str, Invalid> {
    std::str::from_utf8(body).map_err(|error| {
        let before = &body[..error.valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before
            .iter()
            .rev()
            .take_while(|&&byte| byte != b'\n')
            .count()
            + 1;
        let problem = format!("is not valid JSON: invalid UTF-8 at line {line} column {column}");
        Invalid::new("the body", problem)
    })
}

pub(crate) fn malformed(error: &serde_json::Error) -> Invalid {
    Invalid::new("the body", format!("is not valid JSON: {error}"))
}

/// What [`read_event`] found.
pub(crate) struct ReadEvent<'a> {
    /// None when the text is no object.
    pub(crate) draft: Option<EventDraft<'a>>,
    /// Whether half of a surrogate pair is anywhere in the text.
    pub(crate) lone_surrogate: bool,
}

/// Reads an event from well-formed JSON.
pub(crate) fn read_event(text: &str) -> ReadEvent<'_> {
    let mut cursor = Cursor {
        text,
        at: 0,
        lone_surrogate: false,
    };
    let mut draft = EventDraft {
        header: Part::Absent,
        body: Part::Absent,
    };
    let read = cursor.object(&mut draft, |cursor, draft, key| match key {
        "eventHeader" => draft.header = cursor.object(HeaderDraft::default(), header_member),
        "eventBody" => draft.body = cursor.object(BodyDraft::default(), body_member),
        _ => cursor.skip(),
    });
    let is_object = matches!(read, Part::Present(_));
    ReadEvent {
        draft: is_object.then_some(draft),
        lone_surrogate: cursor.lone_surrogate,
    }
}

fn header_member<'a>(cursor: &mut Cursor<'a>, header: &mut HeaderDraft<'a>, key: &str) {
    match key {
        "uuid" => header.uuid = cursor.field(),
        "eventName" => header.event_name = cursor.field(),
        "createdDate" => header.created_date = cursor.field(),
        "savedDate" => header.saved_date = cursor.field(),
        "eventType" => header.event_type = cursor.field(),
        _ => cursor.skip(),
    }
}

fn body_member<'a>(cursor: &mut Cursor<'a>, body: &mut BodyDraft<'a>, key: &str) {
    match key {
        "entities" => {
            body.entities =
                cursor.array(|cursor| cursor.object(EntityDraft::default(), entity_member));
        }
        _ => cursor.skip(),
    }
}

fn entity_member<'a>(cursor: &mut Cursor<'a>, entity: &mut EntityDraft<'a>, key: &str) {
    match key {
        "entityType" => entity.entity_type = cursor.field(),
        "entityId" => entity.entity_id = cursor.field(),
        "updatedAttributes" => {
            let (text, scan) = cursor.value();
            entity.updated_attributes = Attributes::Json(Scanned::new(text, scan.fault));
        }
        _ => cursor.skip(),
    }
}

/// A place in well-formed JSON. On other text it would stop early, but never panic or hang.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    lone_surrogate: bool,
}

impl<'a> Cursor<'a> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// The next value, whatever it is.
    fn value(&mut self) -> (&'a str, Scan) {
        self.peek();
        let start = self.at;
        let scan = scan::value(self.text.as_bytes(), start);
        self.at = scan.end;
        self.lone_surrogate |= scan.lone_surrogate;
        (self.text.get(start..scan.end).unwrap_or_default(), scan)
    }

    fn skip(&mut self) {
        self.value();
    }

    fn field(&mut self) -> Field<'a> {
        let (text, scan) = self.value();
        match text.as_bytes().first() {
            Some(b'"') if scan.lone_surrogate => Field::LoneSurrogate,
            Some(b'"') => Field::Text(unescaped(text)),
            Some(b'-' | b'0'..=b'9') => Field::Number(text),
            Some(b'n') => Field::Absent,
            _ => Field::Wrong,
        }
    }

    /// Calls `member` for each key of the next value; it must consume the key's value. A key with half of a
    /// surrogate pair is given as the empty text, which no schema knows.
    fn object<T>(
        &mut self,
        mut object: T,
        mut member: impl FnMut(&mut Self, &mut T, &str),
    ) -> Part<T> {
        if let Some(not_present) = self.enter(b'{') {
            return not_present;
        }
        while self.peek() == Some(b'"') {
            let (text, scan) = self.value();
            let key = if scan.lone_surrogate {
                Cow::Borrowed("")
            } else {
                unescaped(text)
            };
            self.peek();
            self.at += 1; // the colon
            member(self, &mut object, &key);
            self.end_of_element();
        }
        self.at += 1;
        Part::Present(object)
    }

    /// Calls `element` for each element of the next value; it must consume it.
    fn array<T>(&mut self, mut element: impl FnMut(&mut Self) -> T) -> Part<Vec<T>> {
        if let Some(not_present) = self.enter(b'[') {
            return not_present;
        }
        let mut array = Vec::new();
        while !matches!(self.peek(), Some(b']') | None) {
            array.push(element(self));
            self.end_of_element();
        }
        self.at += 1;
        Part::Present(array)
    }

    /// Steps into the next value if it begins so; otherwise passes over it and says what it is instead.
    fn enter<T>(&mut self, opening: u8) -> Option<Part<T>> {
        let next = self.peek();
        if next == Some(opening) {
            self.at += 1;
            return None;
        }
        self.skip();
        Some(if next == Some(b'n') {
            Part::Absent
        } else {
            Part::Wrong
        })
    }

    fn end_of_element(&mut self) {
        if self.peek() == Some(b',') {
            self.at += 1;
        }
    }
}

/// The text that a JSON string without lone surrogates stands for.
fn unescaped(quoted: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', quoted.as_bytes()).is_some() {
        // It was checked before, so this cannot fail.
        return Cow::Owned(serde_json::from_str(quoted).unwrap_or_default());
    }
    Cow::Borrowed(quoted.get(1..quoted.len() - 1).unwrap_or_default())
}
