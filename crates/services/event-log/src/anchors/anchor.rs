//! One anchor: which hash an entry of a chain had. Pure.

use serde::{Deserialize, Serialize};

/// What a record of the topic of anchors holds, as JSON. Its key is the partition's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Anchor {
    /// The partition's name.
    pub(crate) partition: String,
    /// The number of the entry, from 0.
    pub(crate) seq: u64,
    /// Its hash, in lower-case hexadecimal digits.
    pub(crate) hash: String,
}

/// An anchor, and where it stands in the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchored {
    pub(crate) anchor: Anchor,
    /// Offset of the record.
    pub(crate) offset: u64,
}

impl Anchored {
    /// What is wrong with the entry that the chain has at the anchor's number; none where it has the anchor's hash.
    pub(crate) fn fault(&self, topic: &str, found: Option<&str>) -> Option<String> {
        let Self {
            anchor: Anchor { seq, hash, .. },
            offset,
        } = self;
        let says = format!(
            "record {offset} of the topic {topic} anchors entry {seq} with the hash {hash}"
        );
        match found {
            Some(found) if found == hash => None,
            Some(found) => Some(format!(
                "entry {seq} has the hash {found}, but {says}: the chain was rewritten"
            )),
            None => Some(format!(
                "there is no entry {seq}, but {says}: the chain was cut"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_not_as_anchored_is_named_with_the_anchor() {
        let text = r#"{"partition":"orders","seq":4,"hash":"aa"}"#;
        let anchor: Anchor = serde_json::from_str(text).expect("an anchor");
        assert_eq!(serde_json::to_string(&anchor).expect("text"), text);
        let anchored = Anchored { anchor, offset: 7 };
        assert_eq!(anchored.fault("t", Some("aa")), None);
        for (found, told) in [
            (
                Some("bb"),
                "entry 4 has the hash bb, but record 7 of the topic t",
            ),
            (None, "there is no entry 4, but record 7 of the topic t"),
        ] {
            let fault = anchored.fault("t", found).expect("a fault");
            assert!(fault.starts_with(told), "{fault}");
        }
    }
}
