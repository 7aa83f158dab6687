//! An event before it is checked. JSON and Protocol Buffers both end in an [`EventDraft`], so that the rules and
//! their messages exist once, in [`Event::new`](crate::Event::new).

use std::{borrow::Cow, collections::BTreeMap};

use crate::fault::Scanned;

/// An event as it was sent.
#[derive(Debug)]
pub struct EventDraft<'a> {
    /// `eventHeader`
    pub header: Part<HeaderDraft<'a>>,
    /// `eventBody`
    pub body: Part<BodyDraft<'a>>,
}

/// A part of an event that has parts itself.
#[derive(Debug, Default)]
pub enum Part<T> {
    /// Left out, or JSON `null`.
    #[default]
    Absent,
    /// There, but of another JSON type.
    Wrong,
    /// There.
    Present(T),
}

/// The header: checked, never stored.
#[derive(Debug, Default)]
pub struct HeaderDraft<'a> {
    /// Any text, optional.
    pub uuid: Field<'a>,
    /// Required.
    pub event_name: Field<'a>,
    /// A date, optional.
    pub created_date: Field<'a>,
    /// A date, optional.
    pub saved_date: Field<'a>,
    /// Any text, optional.
    pub event_type: Field<'a>,
}

/// The body.
#[derive(Debug, Default)]
pub struct BodyDraft<'a> {
    /// At least one. An element that is no JSON object is [`Part::Wrong`].
    pub entities: Part<Vec<Part<EntityDraft<'a>>>>,
}

/// One entity update.
#[derive(Debug, Default)]
pub struct EntityDraft<'a> {
    /// Required, at most 255 characters.
    pub entity_type: Field<'a>,
    /// Required, at most 255 characters.
    pub entity_id: Field<'a>,
    /// `updatedAttributes`
    pub updated_attributes: Attributes<'a>,
    /// The gRPC field `attributes_json`: the text of a JSON object, merged last; empty: not given.
    pub attributes_json: Vec<u8>,
}

/// A scalar.
#[derive(Debug, Default)]
pub enum Field<'a> {
    /// Left out, or JSON `null`.
    #[default]
    Absent,
    /// A text without its quotes and escapes.
    Text(Cow<'a, str>),
    /// A JSON number as it was written.
    Number(&'a str),
    /// A JSON string that is no text, because half of a surrogate pair is missing.
    LoneSurrogate,
    /// Another JSON type.
    Wrong,
}

/// The attributes of an entity update.
#[derive(Debug, Default)]
pub enum Attributes<'a> {
    /// Left out: no attributes.
    #[default]
    Absent,
    /// Any JSON value, from JSON.
    Json(Scanned<'a>),
    /// Texts by key, from Protocol Buffers; stored as JSON strings.
    Strings(BTreeMap<String, String>),
}
