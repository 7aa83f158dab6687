//! What of a log is kept.

use std::fs;
use std::io;

use super::{CLOCK_TOLERANCE_MS, Log, Segment};
use crate::files::FileKind;
use crate::index;

impl Log {
    /// Removes the oldest segments that `settings` do not keep, never the last one. Gives their number.
    pub(crate) fn apply_retention(&self, now: i64) -> usize {
        let settings = self.common.settings;
        if settings.retention_bytes.is_none() && settings.retention_ms.is_none() {
            return 0;
        }
        self.correct_times(now);
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

    /// Corrects times of the future, which a clock that was ahead has left: retention would keep such records until then.
    /// Offsets tell the order, so that a segment is at least as old as the records after it, and no record is of later than
    /// now. What is corrected is noted in the index, so that the age counts on after a restart.
    pub(crate) fn correct_times(&self, now: i64) {
        let is_ahead = |segment: &Segment| segment.last_append > now;
        if !self.view().segments.iter().any(is_ahead) {
            return;
        }
        let (mut corrected, mut most) = (Vec::new(), now);
        self.change(|view| {
            for segment in view.segments.iter_mut().rev() {
                if segment.last_append > now {
                    if segment.last_append > now + CLOCK_TOLERANCE_MS {
                        self.common
                            .note_clock(self.partition, segment.last_append, now);
                    }
                    segment.last_append = most;
                    if segment.is_synced() {
                        segment.checkpoint.last_append = most;
                        corrected.push((segment.base, segment.on_disk - 1, segment.checkpoint));
                    }
                }
                // An empty segment has no time of its own.
                if segment.bytes > 0 && segment.last_append > 0 {
                    most = most.min(segment.last_append);
                }
            }
        });
        for (base, number, checkpoint) in corrected {
            let noted = self.file(base, FileKind::Index);
            if let Err(error) = noted.and_then(|file| index::write(&file, number, &[checkpoint])) {
                tracing::debug!(topic = %self.common.topic, partition = self.partition, base, %error, "a corrected time is not noted");
            }
        }
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
