//! What is no data of the log.

/// Deepest nesting of arrays and objects.
pub const MAX_NESTING: usize = 500;
/// Digits after which Python refuses to read an integer.
pub const MAX_INTEGER_DIGITS: usize = 4300;

/// Why a text is no data of the log. Displays as the rest of a sentence that begins with "data".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not JSON.
    #[error("is no JSON: {problem} at byte {at}")]
    Syntax {
        /// What is wrong.
        problem: &'static str,
        /// Where, in bytes from 0.
        at: usize,
    },
    /// Half of a surrogate pair stands alone: no UTF-8 can hold that.
    #[error("has a lone surrogate at byte {at}")]
    LoneSurrogate {
        /// Where its escape begins.
        at: usize,
    },
    /// Nesting over [`MAX_NESTING`].
    #[error("is nested more than {MAX_NESTING} levels deep")]
    TooDeep,
    /// A number whose nearest double is infinite.
    #[error("has a number beyond a double at byte {at}")]
    NumberTooLarge {
        /// Where it begins.
        at: usize,
    },
    /// An integer over [`MAX_INTEGER_DIGITS`].
    #[error("has an integer of more than {MAX_INTEGER_DIGITS} digits at byte {at}")]
    IntegerTooLong {
        /// Where it begins.
        at: usize,
    },
}
