//! The coordinator: it owns the groups, and says whether it is a group's coordinator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;

use super::appends::{Appends, Written};
use super::deadlines::Due;
use super::loads::Loads;
use super::state::Group;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::{Context, Part};
use crate::nodes::broker::replica::Alarm;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{Offset, Stream};

/// The client of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client.id`
    pub id: StrBytes,
    /// Its host, with a slash in front.
    pub host: StrBytes,
}

/// The partition of `__consumer_offsets` that a group belongs to, of `count`. `Utils.abs(group.hashCode)`: Java hashes
/// UTF-16 code units, and has no positive counterpart of its least number.
pub fn partition_of(group: &str, count: i32) -> i32 {
    let hash = group
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % count
}

/// The group coordinator of one broker.
#[derive(Debug)]
pub struct GroupCoordinator {
    pub(super) config: Arc<Config>,
    /// Ids of members come from here.
    ids: Stream,
    pub(super) groups: BTreeMap<StrBytes, Group>,
    /// Partitions of `__consumer_offsets` that it coordinates.
    pub(super) owned: BTreeSet<i32>,
    pub(super) loads: Loads,
    pub(super) alarm: Alarm<Due>,
    appends: Appends,
    /// Whether offsets expire.
    pub(super) is_periodic: bool,
}

/// One group, and what is needed to work on it.
pub struct Work<'a> {
    /// The broker's settings.
    pub config: &'a Config,
    /// Ids of members come from here.
    pub ids: &'a mut Stream,
    /// Deadlines of all groups.
    pub alarm: &'a mut Alarm<Due>,
    /// What is being written.
    pub appends: &'a mut Appends,
    /// The group.
    pub group: &'a mut Group,
}

impl Work<'_> {
    /// The release.
    pub fn version(&self) -> KafkaVersion {
        self.config.version
    }

    /// A member is there: its session begins again, with `after` until it ends.
    pub fn keep_alive_for(&mut self, cx: &mut Context<'_>, id: &StrBytes, after: Duration) {
        let Some(member) = self.group.members.get_mut(id) else { return };
        if let Some(old) = member.session.take() {
            self.alarm.clear(old);
        }
        let due = Due::Session(self.group.id.clone(), id.clone());
        member.session = Some(self.alarm.set_after(cx, after, due));
    }

    /// Clears everything that is due for the group.
    pub fn clear_deadlines(&mut self) {
        let sessions = self.group.members.values_mut().filter_map(|member| member.session.take());
        let pending = self.group.pending.values().copied();
        let join = self.group.join_deadline.take().map(|join| join.at);
        let all = sessions.chain(pending).chain(join).chain(self.group.sync_deadline.take());
        for deadline in all {
            self.alarm.clear(deadline);
        }
    }
}

impl GroupCoordinator {
    /// A coordinator of no group. `ids` feeds the ids of members.
    pub fn new(config: Arc<Config>, ids: Stream) -> Self {
        Self {
            config,
            ids,
            groups: BTreeMap::new(),
            owned: BTreeSet::new(),
            loads: Loads::default(),
            alarm: Alarm::of(Part::Groups),
            appends: Appends::default(),
            is_periodic: false,
        }
    }

    /// The partition of a group.
    pub(super) fn partition(&self, group: &str) -> i32 {
        partition_of(group, self.config.offsets_topic_num_partitions)
    }

    /// Why this broker does not take a request for a group, if it does not (`validateGroupStatus`).
    pub(super) fn refusal(&self, group: &str, api: ApiKey) -> Option<ResponseError> {
        let version = self.config.version;
        let may_be_empty = match api {
            ApiKey::JoinGroup => false,
            ApiKey::DeleteGroups => version.has(Change::GroupIdsChecked),
            ApiKey::OffsetCommit | ApiKey::OffsetFetch | ApiKey::DescribeGroups => true,
            _ => !version.has(Change::GroupIdsChecked),
        };
        if group.is_empty() && !may_be_empty {
            return Some(ResponseError::InvalidGroupId);
        }
        let partition = self.partition(group);
        if self.owned.contains(&partition) {
            return None;
        }
        if self.loads.is_loading(partition, version) {
            return Some(ResponseError::CoordinatorLoadInProgress);
        }
        Some(ResponseError::NotCoordinator)
    }

    /// A group, with what is needed to work on it.
    pub(super) fn work(&mut self, group: &StrBytes) -> Option<Work<'_>> {
        let group = self.groups.get_mut(group)?;
        Some(Work {
            config: &self.config,
            ids: &mut self.ids,
            alarm: &mut self.alarm,
            appends: &mut self.appends,
            group,
        })
    }

    /// A group, which is created when there is none.
    pub(super) fn work_or_create(&mut self, group: &StrBytes) -> Work<'_> {
        let partition = self.partition(group);
        let new = || Group::new(group.clone(), partition);
        self.groups.entry(group.clone()).or_insert_with(new);
        self.work(group).expect("the group was just made")
    }

    /// The earliest timer is due. Returns the partition that is to be loaded now, if one is: see
    /// [`GroupCoordinator::load`].
    pub fn on_timer(&mut self, cx: &mut Context<'_>) -> Option<i32> {
        self.alarm.fired();
        let mut loads = None;
        while let Some(due) = self.alarm.pop(cx) {
            match due {
                Due::Session(group, member) => {
                    if let Some(mut work) = self.work(&group) {
                        work.session_over(cx, &member);
                    }
                }
                Due::Pending(group, member) => {
                    if let Some(mut work) = self.work(&group) {
                        work.drop_pending(cx, &member);
                    }
                }
                Due::Join(group) => {
                    if let Some(mut work) = self.work(&group) {
                        work.join_time_over(cx);
                    }
                }
                Due::Sync(group) => {
                    if let Some(mut work) = self.work(&group) {
                        work.sync_time_over(cx);
                    }
                }
                Due::Load => loads = self.loads.begin(),
                Due::Expire => self.expire(cx),
            }
        }
        loads
    }

    /// What was to be written is written, from this offset on, or is not.
    pub fn appended(
        &mut self,
        cx: &mut Context<'_>,
        number: u64,
        result: Result<Offset, ResponseError>,
    ) {
        let Some((group, written)) = self.appends.take(number) else { return };
        match written {
            Written::Offsets(commits) => {
                self.offsets_written(cx, &group, commits, number, result);
            }
            Written::InTransaction(commits) => {
                self.transaction_offsets_written(cx, &group, commits, number, result);
            }
            Written::Assignment { generation, assignment } => {
                if let Some(mut work) = self.work(&group) {
                    work.assignment_written(cx, generation, assignment, result.err());
                }
            }
            Written::StaticMember { old, new, leader } => {
                if let Some(mut work) = self.work(&group) {
                    work.static_member_written(cx, (old, new), leader, result.err());
                }
            }
            Written::Empty => {
                if let Err(error) = result {
                    tracing::warn!(%group, %error, "it is not written that the group is empty");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_hashed_as_java_hashes_strings() {
        for (group, hash) in [
            ("", 0),
            ("a", 97),
            ("my-group", 1_906_497_762),
            // The least number of 32 bits.
            ("polygenelubricants", 0),
            // One code unit beyond ASCII, and a surrogate pair.
            ("é", 233),
            ("😀", 1_772_899),
        ] {
            assert_eq!(partition_of(group, i32::MAX), hash, "{group}");
            assert_eq!(partition_of(group, 50), hash % 50, "{group}");
        }
    }
}
