//! The error of everything that is parsed at the edge.

use std::borrow::Cow;

use crate::kind::Kind;

/// An input that breaks a rule of the contract. Displays as path and problem:
/// `eventBody.entities[0].entityId must not be empty`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} {problem}")]
pub struct Invalid {
    path: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl Invalid {
    /// `path` names the faulty part in JSON names, `problem` goes on with the sentence: "must not be empty".
    pub fn new(path: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// The faulty part in JSON names, for example `eventBody.entities[0].entityId`; `the body` or `the event`
    /// where the fault is not in one field.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it, as the rest of a sentence that begins with the path.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Always [`Kind::InvalidArgument`].
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::InvalidArgument
    }
}
