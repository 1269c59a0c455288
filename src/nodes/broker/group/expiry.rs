//! Offsets that are forgotten: those that have expired, and those of topics that are deleted.

use kafka_protocol::protocol::StrBytes;

use super::appends::Appends;
use super::coordinator::GroupCoordinator;
use super::deadlines::Due;
use super::facts;
use super::state::{Committed, Group, Place, State};
use super::stored::offset_key;
use crate::history::GroupObservation;
use crate::nodes::broker::Config;
use crate::nodes::broker::context::Context;
use crate::releases::Change;
use crate::wire::group_records::GroupKey;

/// The offsets of a group that have expired.
///
/// Before 2.1 each has its time. Since then (KIP-211) a group keeps its offsets while it has members, and
/// `offsets.retention.minutes` from when the last one left; since 2.4 (KAFKA-8730) those of topics that no member
/// reads go meanwhile.
fn expired(config: &Config, group: &Group, now_ms: i64) -> Vec<Place> {
    let retention = i64::try_from(config.groups.offsets_retention.as_millis()).unwrap_or(i64::MAX);
    let with_group = config.version.has(Change::OffsetsExpireWithGroup);
    let unread = config.version.has(Change::UnreadOffsetsExpire) && group.is_of_consumers();
    let subscribed = if unread { group.subscribed() } else { None };
    let is_over = |(place, known): &(&Place, &Committed)| {
        if group.committing.contains_key(*place) {
            return false;
        }
        let by_commit = known.value.commit_ms;
        let since = match (&group.protocol_type, group.state, &subscribed) {
            (Some(_), State::Empty, _) => group.since_ms.unwrap_or(by_commit),
            (None, ..) => by_commit,
            (Some(_), State::Stable, Some(topics)) if !topics.contains(&place.0) => by_commit,
            _ if with_group => return false,
            _ => by_commit,
        };
        match known.value.expire_ms {
            Some(at) => now_ms >= at,
            None => now_ms.saturating_sub(since) >= retention,
        }
    };
    group.offsets.iter().filter(is_over).map(|(place, _)| place.clone()).collect()
}

impl GroupCoordinator {
    /// Starts looking for expired offsets, once.
    pub(super) fn start_expiry(&mut self, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.is_periodic, true) {
            self.alarm.set_after(
                cx,
                self.config.groups.offsets_retention_check_interval,
                Due::Expire,
            );
        }
    }

    /// Forgets the offsets that have expired.
    pub(super) fn expire(&mut self, cx: &mut Context<'_>) {
        let ids: Vec<StrBytes> = self.groups.keys().cloned().collect();
        for id in ids {
            let places = expired(&self.config, &self.groups[&id], cx.clock.wall_ms);
            self.forget_offsets(cx, &id, &places);
        }
        self.alarm.set_after(cx, self.config.groups.offsets_retention_check_interval, Due::Expire);
    }

    /// A topic is deleted: no group has offsets of it any more.
    pub fn topic_deleted(&mut self, cx: &mut Context<'_>, topic: &str) {
        let ids: Vec<StrBytes> = self.groups.keys().cloned().collect();
        for id in ids {
            let of_topic = self.groups[&id].offsets.keys().filter(|place| *place.0 == *topic);
            let places: Vec<Place> = of_topic.cloned().collect();
            if !places.is_empty() {
                self.forget_offsets(cx, &id, &places);
            }
        }
    }

    /// Forgets offsets of a group, and the group when it has neither members nor offsets. The next coordinator learns
    /// it from tombstones; if they are lost, it finds out for itself.
    pub(super) fn forget_offsets(&mut self, cx: &mut Context<'_>, id: &StrBytes, places: &[Place]) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let (mut tombstones, mut gone) = (Vec::new(), Vec::new());
        for (topic, partition) in places {
            let place = (topic.clone(), *partition);
            group.committing.remove(&place);
            group.uncommitted.values_mut().for_each(|of_producer| {
                of_producer.remove(&place);
            });
            if group.offsets.remove(&place).is_some() {
                tombstones.push(offset_key(id, topic, *partition));
                gone.push(facts::partition(&place));
            }
        }
        let (partition, generation) = (group.partition, group.generation);
        let ends = group.state == State::Empty && !group.has_offsets();
        if !gone.is_empty() {
            let (group, partitions) = (facts::text(id), gone);
            facts::observe(cx, GroupObservation::OffsetsForgotten { group, partitions });
        }
        if ends {
            facts::observe_dead(cx, id, generation);
            self.drop_group(id);
            // A group of generation 0 was never written.
            if generation > 0 {
                tombstones.push(GroupKey::Group(id.clone()).encode());
            }
        }
        Appends::forget(cx, partition, tombstones);
    }

    /// Drops a group, and what is due for it.
    pub(super) fn drop_group(&mut self, id: &StrBytes) {
        if let Some(mut work) = self.work(id) {
            work.clear_deadlines();
        }
        self.groups.remove(id);
    }
}
