//! An event's JSON into its draft.
//!
//! The cursor here checks the syntax as it goes, in one pass, and keeps what derived decoding could not: the last of
//! repeated keys, wrong types as findings rather than errors (so that the first fault in the order of the schema is
//! the one reported), numbers of any size, and attributes as the text they are. Text that is no JSON is given to
//! `serde_json` for a message with line and column.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::{
    draft::{Attributes, BodyDraft, EntityDraft, EventDraft, Field, HeaderDraft, Part},
    fault::Scanned,
    invalid::Invalid,
    scan::{self, Malformed, Scan},
};

/// Reads an event from a body that may be anything.
pub(crate) fn read_event(body: &[u8]) -> Result<ReadEvent<'_>, Invalid> {
    let text = utf8(body)?;
    read(text).map_err(|Malformed| malformed(text))
}

/// What was read.
#[derive(Debug)]
pub(crate) struct ReadEvent<'a> {
    /// None when the text is no object.
    pub(crate) draft: Option<EventDraft<'a>>,
    /// Whether half of a surrogate pair is anywhere in the text.
    pub(crate) lone_surrogate: bool,
}

/// The body as text.
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

/// Says why and where a text is no JSON.
pub(crate) fn malformed(text: &str) -> Invalid {
    Invalid::new("the body", malformed_problem(text))
}

/// As [`malformed`], for a path of the caller's.
pub(crate) fn malformed_problem(text: &str) -> Cow<'static, str> {
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => format!("is not valid JSON: {error}").into(),
        Ok(IgnoredAny) => "is not valid JSON".into(),
    }
}

/// Reads the elements of an array as events, in one pass over it.
pub(crate) fn read_bulk(text: &str) -> Result<Part<Vec<(usize, ReadEvent<'_>)>>, Malformed> {
    let mut cursor = Cursor::new(text);
    let elements = cursor.array(|cursor| {
        cursor.next()?;
        let start = cursor.at;
        let event = cursor.event()?;
        Ok((cursor.at - start, event))
    })?;
    cursor.end()?;
    Ok(elements)
}

fn read(text: &str) -> Result<ReadEvent<'_>, Malformed> {
    let mut cursor = Cursor::new(text);
    let event = cursor.event()?;
    cursor.end()?;
    Ok(event)
}

fn header_member<'a>(
    cursor: &mut Cursor<'a>,
    header: &mut HeaderDraft<'a>,
    key: &str,
) -> Result<(), Malformed> {
    match key {
        "uuid" => header.uuid = cursor.field()?,
        "eventName" => header.event_name = cursor.field()?,
        "createdDate" => header.created_date = cursor.field()?,
        "savedDate" => header.saved_date = cursor.field()?,
        "eventType" => header.event_type = cursor.field()?,
        _ => cursor.skip()?,
    }
    Ok(())
}

fn body_member<'a>(
    cursor: &mut Cursor<'a>,
    body: &mut BodyDraft<'a>,
    key: &str,
) -> Result<(), Malformed> {
    match key {
        "entities" => {
            body.entities =
                cursor.array(|cursor| cursor.object(EntityDraft::default(), entity_member))?;
        }
        _ => cursor.skip()?,
    }
    Ok(())
}

fn entity_member<'a>(
    cursor: &mut Cursor<'a>,
    entity: &mut EntityDraft<'a>,
    key: &str,
) -> Result<(), Malformed> {
    match key {
        "entityType" => entity.entity_type = cursor.field()?,
        "entityId" => entity.entity_id = cursor.field()?,
        "updatedAttributes" => {
            let (text, scan) = cursor.value()?;
            entity.updated_attributes = Attributes::Json(Scanned::new(text, scan.fault));
        }
        _ => cursor.skip()?,
    }
    Ok(())
}

/// A place in a text that may be JSON.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    lone_surrogate: bool,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            lone_surrogate: false,
        }
    }

    /// The next value as an event.
    fn event(&mut self) -> Result<ReadEvent<'a>, Malformed> {
        // Of this event alone, where there are several.
        self.lone_surrogate = false;
        let draft = EventDraft {
            header: Part::Absent,
            body: Part::Absent,
        };
        let read = self.object(draft, |cursor, draft, key| {
            match key {
                "eventHeader" => {
                    draft.header = cursor.object(HeaderDraft::default(), header_member)?;
                }
                "eventBody" => draft.body = cursor.object(BodyDraft::default(), body_member)?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(ReadEvent {
            draft: match read {
                Part::Present(draft) => Some(draft),
                Part::Absent | Part::Wrong => None,
            },
            lone_surrogate: self.lone_surrogate,
        })
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Result<u8, Malformed> {
        scan::next(self.text.as_bytes(), &mut self.at)
    }

    /// The next value, whatever it is.
    fn value(&mut self) -> Result<(&'a str, Scan), Malformed> {
        self.next()?;
        let start = self.at;
        let scan = scan::value(self.text.as_bytes(), start)?;
        self.at = scan.end;
        self.lone_surrogate |= scan.lone_surrogate;
        Ok((&self.text[start..scan.end], scan))
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        self.value().map(drop)
    }

    fn field(&mut self) -> Result<Field<'a>, Malformed> {
        let (text, scan) = self.value()?;
        Ok(match text.as_bytes()[0] {
            b'"' if scan.lone_surrogate => Field::LoneSurrogate,
            b'"' => Field::Text(unescaped(text, scan.escaped)),
            b'-' | b'0'..=b'9' => Field::Number(text),
            b'n' => Field::Absent,
            _ => Field::Wrong,
        })
    }

    /// Calls `member` for each key of the next value; it must consume the key's value. A key with half of a
    /// surrogate pair is given as the empty text, which no schema knows.
    fn object<T>(
        &mut self,
        mut object: T,
        mut member: impl FnMut(&mut Self, &mut T, &str) -> Result<(), Malformed>,
    ) -> Result<Part<T>, Malformed> {
        if let Some(not_present) = self.enter(b'{')? {
            return Ok(not_present);
        }
        if self.next()? == b'}' {
            self.at += 1;
            return Ok(Part::Present(object));
        }
        loop {
            if self.next()? != b'"' {
                return Err(Malformed);
            }
            let (text, scan) = self.value()?;
            let key = if scan.lone_surrogate {
                Cow::Borrowed("")
            } else {
                unescaped(text, scan.escaped)
            };
            if self.next()? != b':' {
                return Err(Malformed);
            }
            self.at += 1;
            member(self, &mut object, &key)?;
            if self.closed(b'}')? {
                return Ok(Part::Present(object));
            }
        }
    }

    /// Calls `element` for each element of the next value; it must consume it.
    fn array<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Part<Vec<T>>, Malformed> {
        if let Some(not_present) = self.enter(b'[')? {
            return Ok(not_present);
        }
        let mut array = Vec::new();
        if self.next()? == b']' {
            self.at += 1;
            return Ok(Part::Present(array));
        }
        loop {
            array.push(element(self)?);
            if self.closed(b']')? {
                return Ok(Part::Present(array));
            }
        }
    }

    /// Steps into the next value if it begins so; otherwise passes over it and says what it is instead.
    fn enter<T>(&mut self, opening: u8) -> Result<Option<Part<T>>, Malformed> {
        let next = self.next()?;
        if next == opening {
            self.at += 1;
            return Ok(None);
        }
        self.skip()?;
        Ok(Some(if next == b'n' {
            Part::Absent
        } else {
            Part::Wrong
        }))
    }

    /// After an element: whether the container ends here; otherwise a comma is passed over.
    fn closed(&mut self, closing: u8) -> Result<bool, Malformed> {
        let next = self.next()?;
        self.at += 1;
        if next == closing || next == b',' {
            Ok(next == closing)
        } else {
            Err(Malformed)
        }
    }

    /// Nothing but white space may follow.
    fn end(&mut self) -> Result<(), Malformed> {
        if self.next().is_err() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

/// The text that a JSON string without lone surrogates stands for.
fn unescaped(quoted: &str, escaped: bool) -> Cow<'_, str> {
    if escaped {
        // It was checked before, so this cannot fail.
        return Cow::Owned(serde_json::from_str(quoted).unwrap_or_default());
    }
    Cow::Borrowed(&quoted[1..quoted.len() - 1])
}
