//! What a principal may do: rights by service and verb, each for all names or for those that match a pattern. Pure.

use std::fmt;
use std::str::FromStr;

/// An act of one service that needs a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Store events.
    IngestWrite,
    /// Read balances; the name is an account.
    BalanceRead,
    /// Read the stream of transactions; the name is the account that the caller filters by.
    StreamRead,
    /// Append records; the name is a topic.
    TopicsProduce,
    /// Read records and offsets; the name is a topic.
    TopicsConsume,
    /// Create and delete; the name is a topic.
    TopicsAdmin,
    /// Join, commit, describe, delete; the name is a consumer group.
    GroupsUse,
    /// Append entries; the name is a hash-chained partition.
    ChainsAppend,
    /// Read, tail and verify; the name is a hash-chained partition.
    ChainsRead,
    /// Read `/metrics`.
    MetricsRead,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::IngestWrite,
        Self::BalanceRead,
        Self::StreamRead,
        Self::TopicsProduce,
        Self::TopicsConsume,
        Self::TopicsAdmin,
        Self::GroupsUse,
        Self::ChainsAppend,
        Self::ChainsRead,
        Self::MetricsRead,
    ];

    /// As the principals file writes it: `service:verb`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IngestWrite => "ingest:write",
            Self::BalanceRead => "balance:read",
            Self::StreamRead => "stream:read",
            Self::TopicsProduce => "topics:produce",
            Self::TopicsConsume => "topics:consume",
            Self::TopicsAdmin => "topics:admin",
            Self::GroupsUse => "groups:use",
            Self::ChainsAppend => "chains:append",
            Self::ChainsRead => "chains:read",
            Self::MetricsRead => "metrics:read",
        }
    }

    /// What a pattern of this verb is matched with; `None`: the verb takes no pattern.
    pub const fn names(self) -> Option<&'static str> {
        match self {
            Self::IngestWrite | Self::MetricsRead => None,
            Self::BalanceRead | Self::StreamRead => Some("account"),
            Self::TopicsProduce | Self::TopicsConsume | Self::TopicsAdmin => Some("topic"),
            Self::GroupsUse => Some("group"),
            Self::ChainsAppend | Self::ChainsRead => Some("partition"),
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which names a right covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Every name.
    All,
    /// This name.
    Exact(String),
    /// Every name that begins so.
    Prefix(String),
}

impl Pattern {
    /// Whether `name` is covered.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Exact(exact) => exact == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some("") => Self::All,
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }
}

/// One right: `service:verb` or `service:verb:pattern`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Right {
    /// The act.
    pub verb: Verb,
    /// For which names.
    pub pattern: Pattern,
}

impl FromStr for Right {
    type Err = String;

    /// The error says what is wrong and what to write instead.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Verb::ALL.into_iter().find_map(|verb| {
            let rest = text.strip_prefix(verb.as_str())?;
            match rest.strip_prefix(':') {
                Some(pattern) => Some((verb, Some(pattern))),
                None => rest.is_empty().then_some((verb, None)),
            }
        });
        let Some((verb, pattern)) = found else {
            return Err(format!(
                "unknown right '{text}': write service:verb or service:verb:pattern with one of {}",
                Verb::ALL.map(Verb::as_str).join(", ")
            ));
        };
        let Some(pattern) = pattern else {
            return Ok(Self {
                verb,
                pattern: Pattern::All,
            });
        };
        if verb.names().is_none() {
            return Err(format!(
                "'{text}': {verb} takes no pattern, write '{verb}' alone"
            ));
        }
        let body = pattern.strip_suffix('*').unwrap_or(pattern);
        if pattern.is_empty() {
            return Err(format!(
                "'{text}': the pattern is empty, write '{verb}' for every name"
            ));
        }
        if body.contains('*') {
            return Err(format!(
                "'{text}': a pattern is exact or ends in one *, nothing else is a wildcard"
            ));
        }
        Ok(Self {
            verb,
            pattern: pattern.into(),
        })
    }
}

/// All rights of a principal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights([Vec<Pattern>; Verb::ALL.len()]);

impl Rights {
    /// Whether `verb` is granted for `name`.
    pub fn allow(&self, verb: Verb, name: &str) -> bool {
        self.0[verb as usize]
            .iter()
            .any(|pattern| pattern.matches(name))
    }

    /// Whether `verb` is granted for every name.
    pub fn allow_all(&self, verb: Verb) -> bool {
        self.0[verb as usize].contains(&Pattern::All)
    }

    /// Whether `verb` is granted for any name at all.
    pub fn allow_any(&self, verb: Verb) -> bool {
        !self.0[verb as usize].is_empty()
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        let mut all = Self::default();
        for Right { verb, pattern } in rights {
            all.0[verb as usize].push(pattern);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rights(texts: &[&str]) -> Rights {
        texts
            .iter()
            .map(|text| text.parse::<Right>().expect(text))
            .collect()
    }

    #[test]
    fn a_right_covers_what_its_pattern_says_and_nothing_else() {
        let acme = rights(&[
            "topics:produce:acme.*",
            "topics:consume:orders",
            "balance:read:0.0.1*",
            "ingest:write",
            "chains:read",
            "groups:use:*",
        ]);
        for (verb, name, allowed) in [
            (Verb::TopicsProduce, "acme.orders", true),
            (Verb::TopicsProduce, "acme.", true),
            (Verb::TopicsProduce, "acme", false),
            (Verb::TopicsProduce, "acmeorders", false),
            (Verb::TopicsProduce, "xacme.orders", false),
            (Verb::TopicsProduce, "ACME.orders", false),
            (Verb::TopicsConsume, "orders", true),
            (Verb::TopicsConsume, "orders2", false),
            (Verb::TopicsConsume, "", false),
            (Verb::TopicsAdmin, "acme.orders", false),
            (Verb::BalanceRead, "0.0.100000", true),
            (Verb::BalanceRead, "0.0.2", false),
            (Verb::IngestWrite, "", true),
            (Verb::ChainsRead, "anything", true),
            (Verb::ChainsAppend, "anything", false),
            (Verb::GroupsUse, "g", true),
            (Verb::MetricsRead, "", false),
        ] {
            assert_eq!(acme.allow(verb, name), allowed, "{verb} {name}");
        }
        assert!(acme.allow_all(Verb::ChainsRead) && acme.allow_all(Verb::GroupsUse));
        assert!(!acme.allow_all(Verb::TopicsProduce) && acme.allow_any(Verb::TopicsProduce));
        assert!(!acme.allow_any(Verb::StreamRead));
    }

    #[test]
    fn a_wrong_right_is_named_with_its_remedy() {
        for (text, part) in [
            ("topics:write:x", "one of ingest:write"),
            ("topics", "unknown right"),
            ("", "unknown right"),
            ("ingest:writes", "unknown right"),
            ("ingest:write:x", "takes no pattern"),
            ("topics:produce:", "for every name"),
            ("topics:produce:a*b", "ends in one *"),
            ("topics:produce:**", "ends in one *"),
            ("Topics:produce:a", "unknown right"),
        ] {
            let error = text.parse::<Right>().expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_prefix_covers_exactly_the_names_that_begin_with_it(prefix in "[a-z.]{1,6}", name in "[a-z.]{0,9}") {
            let text = format!("topics:consume:{prefix}*");
            let one = rights(&[&text]);
            prop_assert_eq!(one.allow(Verb::TopicsConsume, &name), name.starts_with(&prefix));
            prop_assert!(!one.allow(Verb::TopicsProduce, &name));
            let exact = rights(&[&format!("topics:consume:{prefix}")]);
            prop_assert_eq!(exact.allow(Verb::TopicsConsume, &name), name == prefix);
        }

        #[test]
        fn a_name_may_hold_colons(name in "[a-z:]{1,9}") {
            let one = rights(&[&format!("chains:read:{name}")]);
            prop_assert!(one.allow(Verb::ChainsRead, &name));
        }
    }
}
