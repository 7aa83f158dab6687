//! The names of topics and groups.

use domain::Invalid;

/// Longest name of a topic, in bytes.
const MAX_TOPIC: usize = 249;
/// Longest name of a group, in bytes.
const MAX_GROUP: usize = 255;
/// Most partitions of a topic.
pub const MAX_PARTITIONS: u32 = 10_000;

/// Checks the name of a new topic.
///
/// # Errors
/// Says what is wrong, under the name `name`.
pub fn topic(name: &str) -> Result<(), Invalid> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let problem = if name.is_empty() {
        "must not be empty"
    } else if name.len() > MAX_TOPIC {
        "must have at most 249 characters"
    } else if name == "." || name == ".." {
        "must not be . or .."
    } else if !name.bytes().all(allowed) {
        "must consist of A-Z, a-z, 0-9, '.', '_' and '-'"
    } else {
        return Ok(());
    };
    Err(Invalid::new("name", problem))
}

/// Checks the name of a group.
///
/// # Errors
/// Says what is wrong, under the name `name`.
pub fn group(group: &str, name: &'static str) -> Result<(), Invalid> {
    let problem = if group.is_empty() {
        "must not be empty"
    } else if group.len() > MAX_GROUP {
        "must have at most 255 bytes"
    } else if group.chars().any(char::is_control) {
        "must not have control characters"
    } else {
        return Ok(());
    };
    Err(Invalid::new(name, problem))
}

/// The number of partitions that was asked for; 0 means 1.
///
/// # Errors
/// Negative, or too many.
pub fn partitions(number: i64) -> Result<u32, Invalid> {
    match u32::try_from(number) {
        Ok(0) => Ok(1),
        Ok(number) if number <= MAX_PARTITIONS => Ok(number),
        _ => Err(Invalid::new("numPartitions", "must be from 1 to 10000")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_folder() {
        for good in ["a", "A.b_c-9", "...", "-", &"x".repeat(249)] {
            assert_eq!(topic(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ü", "a\0", &"x".repeat(250)] {
            topic(bad).expect_err(bad);
        }
        group("any thing/ü", "groupId").expect("good");
        for bad in ["", "a\nb", &"x".repeat(256)] {
            group(bad, "groupId").expect_err(bad);
        }
    }

    #[test]
    fn no_partitions_asked_for_means_one() {
        assert_eq!(partitions(0), Ok(1));
        assert_eq!(partitions(10_000), Ok(10_000));
        for bad in [-1, 10_001, i64::MAX, i64::MIN] {
            partitions(bad).expect_err("a fault");
        }
    }
}
