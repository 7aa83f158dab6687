//! One pass over a JSON text.

use std::cmp::Ordering;

use super::escapes::compare_escaped;
use super::refused::{MAX_NESTING, Refused};

/// The order in which the keys of an object are written. A key that comes again keeps its first place and its last value,
/// as in a Python `dict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// As they were sent.
    Sent,
    /// By code point, at every level.
    Sorted,
}

/// What a pass over a text found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether the keys of every object stood in order and once: both orders are the same text then.
    pub sorted: bool,
    /// Whether there was white space outside strings.
    pub spaced: bool,
    /// Whether an object had a key twice.
    pub repeated: bool,
}

/// A pass over a text.
pub(super) struct Pass<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    order: KeyOrder,
    pub(super) out: &'a mut Vec<u8>,
    depth: usize,
    /// Of all objects that are open, the innermost last.
    members: Vec<Member>,
    found: Found,
}

/// Where `"key":value` stands in `out`.
#[derive(Clone, Copy)]
struct Member {
    /// Of the key, after its quotation mark.
    key: usize,
    key_end: usize,
    end: usize,
    /// Whether the key has an escape in it.
    escaped: bool,
}

impl<'a> Pass<'a> {
    pub(super) fn new(text: &'a [u8], order: KeyOrder, out: &'a mut Vec<u8>) -> Self {
        Self {
            text,
            at: 0,
            order,
            out,
            depth: 0,
            members: Vec::new(),
            found: Found {
                sorted: true,
                spaced: false,
                repeated: false,
            },
        }
    }

    /// One value, and nothing but white space around it.
    pub(super) fn whole(mut self) -> Result<Found, Refused> {
        self.space();
        self.value()?;
        self.space();
        if self.at < self.text.len() {
            return Err(self.syntax("more after the value"));
        }
        Ok(self.found)
    }

    pub(super) fn syntax(&self, problem: &'static str) -> Refused {
        Refused::Syntax {
            problem,
            at: self.at,
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Passes over white space.
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
            self.found.spaced = true;
        }
    }

    /// Takes `byte` if it is next, and writes it.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.at += 1;
            self.out.push(byte);
        }
        is_next
    }

    fn value(&mut self) -> Result<(), Refused> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(_) => Err(self.syntax("expected a value")),
            None => Err(self.syntax("it ends where a value is expected")),
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), Refused> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return Err(self.syntax("expected a value"));
        }
        self.at += word.len();
        self.out.extend_from_slice(word.as_bytes());
        Ok(())
    }

    /// Takes the opening bracket and what follows it.
    fn nested(&mut self, rest: fn(&mut Self) -> Result<(), Refused>) -> Result<(), Refused> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Refused::TooDeep);
        }
        self.out.push(self.text[self.at]);
        self.at += 1;
        self.space();
        rest(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), Refused> {
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            self.space();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.syntax("expected ',' or ']'"));
            }
            self.space();
        }
    }

    fn object(&mut self) -> Result<(), Refused> {
        if self.take(b'}') {
            return Ok(());
        }
        let first = self.members.len();
        let mut in_order = true;
        loop {
            let member = self.member()?;
            if let Some(before) = self.members[first..].last() {
                in_order &= self.compare(before, &member) == Ordering::Less;
            }
            self.members.push(member);
            self.space();
            if self.peek() == Some(b'}') {
                self.at += 1;
                break;
            }
            if !self.take(b',') {
                return Err(self.syntax("expected ',' or '}'"));
            }
            self.space();
        }
        if !in_order {
            self.found.sorted = false;
            self.rearrange(first);
        }
        self.members.truncate(first);
        self.out.push(b'}');
        Ok(())
    }

    fn member(&mut self) -> Result<Member, Refused> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("expected a key in quotation marks"));
        }
        let key = self.out.len() + 1;
        self.string()?;
        let key_end = self.out.len() - 1;
        let escaped = self.out[key..key_end].contains(&b'\\');
        self.space();
        if !self.take(b':') {
            return Err(self.syntax("expected ':'"));
        }
        self.space();
        self.value()?;
        Ok(Member {
            key,
            key_end,
            end: self.out.len(),
            escaped,
        })
    }

    fn compare(&self, one: &Member, other: &Member) -> Ordering {
        let keys = [one, other].map(|member| &self.out[member.key..member.key_end]);
        if one.escaped || other.escaped {
            compare_escaped(keys[0], keys[1])
        } else {
            keys[0].cmp(keys[1])
        }
    }

    /// Writes the members from `first` again: each key once, in the order asked for.
    fn rearrange(&mut self, first: usize) {
        let members = &self.members[first..];
        let mut places: Vec<usize> = (0..members.len()).collect();
        let mut repeated = false;
        // Stable: of equal keys the last sent comes last.
        places.sort_by(|one, other| {
            let order = self.compare(&members[*one], &members[*other]);
            repeated |= order.is_eq();
            order
        });
        if repeated {
            self.found.repeated = true;
            places = self.once_each(members, &places);
        } else if self.order == KeyOrder::Sent {
            return;
        }
        let from = members[0].key - 1;
        let mut again = Vec::with_capacity(self.out.len() - from);
        for place in places {
            let member = &members[place];
            if !again.is_empty() {
                again.push(b',');
            }
            again.extend_from_slice(&self.out[member.key - 1..member.end]);
        }
        self.out.truncate(from);
        self.out.append(&mut again);
    }

    /// Of each key the last member, in the order asked for. `sorted` are the places of `members` by key.
    fn once_each(&self, members: &[Member], sorted: &[usize]) -> Vec<usize> {
        let mut chosen: Vec<(usize, usize)> = sorted
            .chunk_by(|one, other| self.compare(&members[*one], &members[*other]).is_eq())
            .filter_map(|same| Some((*same.first()?, *same.last()?)))
            .collect();
        if self.order == KeyOrder::Sent {
            // A key keeps its first place.
            chosen.sort_unstable();
        }
        chosen.into_iter().map(|(_, last)| last).collect()
    }
}
