//! What `jsonb` would refuse although it is well-formed JSON, and a value that was looked through for it.

/// The deepest nesting of objects and arrays; the attributes object itself is level 1.
pub const MAX_NESTING: usize = 500;

/// What `jsonb` would refuse although it is well-formed JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nesting over [`MAX_NESTING`].
    TooDeep,
    /// A number outside PostgreSQL's `numeric`.
    NumberOutOfRange,
    /// The character U+0000.
    Nul,
    /// Half of a surrogate pair.
    LoneSurrogate,
}

impl Fault {
    /// The rest of a sentence that begins with the faulty part's path.
    #[must_use]
    pub const fn problem(self) -> &'static str {
        match self {
            Self::TooDeep => "must not be nested deeper than 500 levels",
            Self::NumberOutOfRange => {
                "must not contain a number outside the range of PostgreSQL's numeric"
            }
            Self::Nul => "must not contain NUL characters",
            Self::LoneSurrogate => "must not contain lone surrogates",
        }
    }
}

/// A well-formed JSON value of any type, and the first fault in it.
#[derive(Clone, Copy, Debug)]
pub struct Scanned<'a> {
    text: &'a str,
    fault: Option<Fault>,
}

impl<'a> Scanned<'a> {
    pub(crate) fn new(text: &'a str, fault: Option<Fault>) -> Self {
        Self { text, fault }
    }

    /// The text of the object, or its first fault; none when the value is no object.
    #[must_use]
    pub fn object(self) -> Option<Result<&'a str, Fault>> {
        self.text.starts_with('{').then_some(match self.fault {
            None => Ok(self.text),
            Some(fault) => Err(fault),
        })
    }
}
