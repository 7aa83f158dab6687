//! The settings of a topic, from the `configs` of its making.

use std::collections::BTreeMap;

use domain::Invalid;

/// Bytes of a segment where `segment.bytes` does not say: 256 MiB.
const SEGMENT_BYTES: u64 = 256 * 1024 * 1024;
/// Settings that a topic may have.
const NAMES: &str = "retention.bytes, retention.ms and segment.bytes are";

/// How a topic is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// A partition's oldest segments go while the others have at least so many bytes; `None`: they stay.
    pub retention_bytes: Option<u64>,
    /// A segment goes when its last record was appended so many milliseconds ago; `None`: it stays.
    pub retention_ms: Option<u64>,
    /// A segment that would grow beyond so many bytes is closed. A record larger than this has one of its own.
    pub segment_bytes: u64,
}

impl TopicSettings {
    /// Reads `configs`, in which -1 means unlimited for both kinds of retention.
    ///
    /// # Errors
    /// Names the first, by name, that is unknown or no number in range.
    pub fn parse(configs: &BTreeMap<String, String>) -> Result<Self, Invalid> {
        let mut settings = Self {
            retention_bytes: None,
            retention_ms: None,
            segment_bytes: SEGMENT_BYTES,
        };
        for (name, value) in configs {
            match name.as_str() {
                "retention.bytes" => settings.retention_bytes = limit(name, value)?,
                "retention.ms" => settings.retention_ms = limit(name, value)?,
                "segment.bytes" => {
                    let bytes = value.trim().parse().ok().filter(|bytes| *bytes > 0);
                    let problem = "must be a whole number, at least 1";
                    settings.segment_bytes = bytes.ok_or_else(|| invalid(name, problem))?;
                }
                _ => {
                    let problem = format!("is no setting of a topic: {NAMES}");
                    return Err(Invalid::new(format!("configs[\"{name}\"]"), problem));
                }
            }
        }
        Ok(settings)
    }
}

fn limit(name: &str, value: &str) -> Result<Option<u64>, Invalid> {
    match value.trim() {
        "-1" => Ok(None),
        number => number.parse().map(Some).map_err(|_| {
            invalid(
                name,
                "must be a whole number, at least 0, or -1 for unlimited",
            )
        }),
    }
}

fn invalid(name: &str, problem: &'static str) -> Invalid {
    Invalid::new(format!("configs[\"{name}\"]"), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(configs: &[(&str, &str)]) -> Result<TopicSettings, String> {
        let configs = configs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        TopicSettings::parse(&configs.collect()).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn configs_are_numbers_of_known_names() {
        let settings = parse(&[
            ("retention.bytes", "1000"),
            ("retention.ms", " -1 "),
            ("segment.bytes", "1024"),
        ]);
        let expected = TopicSettings {
            retention_bytes: Some(1000),
            retention_ms: None,
            segment_bytes: 1024,
        };
        assert_eq!(settings, Ok(expected));
        for (name, value, problem) in [
            ("retention.ms", "soon", "at least 0, or -1"),
            ("retention.bytes", "-2", "at least 0, or -1"),
            ("retention.bytes", "", "at least 0, or -1"),
            ("retention.bytes", "1.5", "at least 0, or -1"),
            ("segment.bytes", "0", "at least 1"),
            ("segment.bytes", "-1", "at least 1"),
            ("segment.bytes", "99999999999999999999", "at least 1"),
            ("cleanup", "1", "is no setting of a topic"),
        ] {
            let message = parse(&[(name, value)]).expect_err("a fault");
            assert!(
                message.starts_with(&format!("configs[\"{name}\"] ")),
                "{message}"
            );
            assert!(message.contains(problem), "{message}");
        }
    }
}
