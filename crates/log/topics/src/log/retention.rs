//! What of a log is kept.

use std::fs;
use std::io;

use super::{Log, Segment};
use crate::files::FileKind;

impl Log {
    /// Removes the oldest segments that `settings` do not keep, never the last one. Gives their number.
    pub(crate) fn apply_retention(&self, now: i64) -> usize {
        let settings = self.common.settings;
        if settings.retention_bytes.is_none() && settings.retention_ms.is_none() {
            return 0;
        }
        let removed = self.change(|view| {
            let mut total: u64 = view.segments.iter().map(|segment| segment.bytes).sum();
            let mut removed = Vec::new();
            while view.segments.len() > 1 {
                let oldest = &view.segments[0];
                let others = total - oldest.bytes;
                let too_large = settings.retention_bytes.is_some_and(|keep| others >= keep);
                if !too_large && !is_expired(oldest, settings.retention_ms, now) {
                    break;
                }
                total = others;
                removed.extend(view.segments.pop_front().map(|segment| segment.base));
            }
            removed
        });
        for base in &removed {
            self.remove(*base);
        }
        if let (Some(first), count) = (removed.first(), removed.len()) {
            tracing::debug!(topic = %self.common.topic, partition = self.partition, first, count, "segments removed");
        }
        removed.len()
    }

    /// Whether the segment that is written to holds only what `retention.ms` does not keep.
    pub(crate) fn is_expired(&self, now: i64) -> bool {
        let view = self.view();
        let last = view.segments.back();
        last.is_some_and(|last| {
            last.bytes > 0 && is_expired(last, self.common.settings.retention_ms, now)
        })
    }

    fn remove(&self, base: u64) {
        for kind in [FileKind::Log, FileKind::Index] {
            let path = self.path(base, kind);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(file = %path.display(), %error, "an old segment cannot be removed");
            }
        }
        // Closed afterwards: whoever comes between would open them again.
        self.common.files.forget(self.id, base);
    }
}

fn is_expired(segment: &Segment, retention_ms: Option<u64>, now: i64) -> bool {
    let age = u64::try_from(now.saturating_sub(segment.last_append)).unwrap_or(0);
    retention_ms.is_some_and(|keep| age > keep)
}
