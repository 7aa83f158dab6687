//! A member's side of its group.

use tokio::sync::watch;

use super::Groups;

/// A member of a group, which leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) groups: Groups,
    pub(super) group: String,
    pub(super) number: u64,
    pub(super) changes: watch::Receiver<u64>,
}

impl Member {
    /// The group's name.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// Whether the assignment has changed since [`assigned`](Self::assigned) gave it.
    pub(crate) fn is_outdated(&self) -> bool {
        self.changes.has_changed().unwrap_or(true)
    }

    /// Waits until it has changed.
    pub(crate) async fn outdated(&mut self) {
        let mut changes = self.changes.clone();
        // Not marked as seen in `self.changes`: that is for `assigned`. The sender lives as long as the member.
        drop(changes.changed().await);
    }

    /// The partitions that this member reads, once all are assigned.
    pub(crate) async fn assigned(&mut self) -> std::ops::Range<u32> {
        loop {
            let at = {
                let mut active = self.groups.active();
                let Some(group) = active.get_mut(&self.group) else {
                    return 0..0;
                };
                group.settle();
                self.changes.mark_unchanged();
                match group.assigned_at {
                    None => {
                        let member = group.members.get(&self.number);
                        return member.map_or(0..0, |member| member.assigned.clone());
                    }
                    Some(at) => at,
                }
            };
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                changed = self.changes.changed() => if changed.is_err() {
                    return 0..0;
                },
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut active = self.groups.active();
        let Some(group) = active.get_mut(&self.group) else {
            return;
        };
        group.members.remove(&self.number);
        tracing::debug!(group = self.group, number = self.number, "left");
        if group.members.is_empty() {
            // What is committed stays.
            active.remove(&self.group);
        } else {
            group.prepare(self.groups.0.delay);
        }
    }
}
