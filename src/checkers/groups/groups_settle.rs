//! In the end, each group is stable, its members are alive, and every partition has an owner.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::checkers::{Case, Cases, Checker, Class, Judged, Property, Subject};
use crate::history::GroupState;
use crate::model::groups::GroupView;
use crate::model::{ConsumerTerms, Model};
use crate::vocab::{NodeId, Time, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "groups-settle",
    statement: "when a run ends, no rebalance of a group takes longer than its members may, no \
                member has been silent for longer than its session timeout, and in a stable group \
                all members are there and each partition of a topic that a member subscribes to \
                has an owner",
    source: "L9 of the catalogue of known failures; Kafka documentation, session.timeout.ms, \
             max.poll.interval.ms",
    leaves_out: "rebalances and silences that may yet end in time; groups whose coordinator does \
                 not run; partitions that came when the group was stable already, for \
                 metadata.max.age.ms; deleted topics; groups of other programs than consumers",
    looks_at: Subject::Groups,
    class: Class::Liveness,
};

/// What a member may need besides its `max.poll.interval.ms` until its assignment is written.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// What timers may be late by.
const SLACK: Duration = Duration::from_secs(2);
/// Kafka's default of `max.poll.interval.ms` and `metadata.max.age.ms`, for members that are not of the scenario.
const FOREIGN: Duration = Duration::from_mins(5);

/// What the settings of a group's members allow.
struct Limits {
    /// How long a rebalance may take.
    rebalance: Duration,
    /// How long a group may be stable without an owner of each partition: members that follow the cooperative protocol
    /// join again at once, and their leader has to see new partitions.
    unowned: Duration,
}

impl Limits {
    fn of(model: &Model, group: &str) -> Self {
        let members =
            || model.terms.consumers.iter().filter(|one| one.group.as_deref() == Some(group));
        let most = |of: fn(&ConsumerTerms) -> Duration| members().map(of).max().unwrap_or(FOREIGN);
        Self {
            rebalance: most(|one| one.max_poll_interval) + WRITE_MAX,
            unowned: most(|one| one.metadata_max_age) + SLACK,
        }
    }
}

/// Judges by the model alone.
#[derive(Debug)]
pub struct GroupsSettle;

impl Checker for GroupsSettle {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let mut cases = Cases::default();
        for (group, account) in model.groups.all() {
            let Some((coordinator, view)) = account.latest_view() else { continue };
            if !model.lives.runs(coordinator) {
                continue;
            }
            for what in wrong(model, (view, &Limits::of(model, group)), end) {
                let name = model.terms.name(coordinator);
                let what = format!("group {group} of {name}: {what}");
                cases.forbidden(|| case(model, coordinator, end, what));
            }
        }
        PROPERTY.given(cases.verdict())
    }
}

fn case(model: &Model, coordinator: NodeId, end: Time, what: String) -> Case {
    Case::of(end, what).about(&model.terms, [coordinator]).after_faults(&model.faults)
}

/// What is wrong with a group at the end, in words.
fn wrong(model: &Model, (view, limits): (&GroupView, &Limits), end: Time) -> Vec<String> {
    let since = end.since(view.since);
    match view.now.state {
        GroupState::Empty | GroupState::Dead => Vec::new(),
        GroupState::PreparingRebalance | GroupState::CompletingRebalance => {
            let is_late = since > limits.rebalance;
            let text = || format!("has rebalanced since {:.3}", view.since);
            is_late.then(text).into_iter().collect()
        }
        GroupState::Stable => {
            let silent = view.members.iter().filter_map(|(id, member)| {
                let timeout_ms = u64::try_from(member.timeout_ms).ok()?;
                let limit = Duration::from_millis(timeout_ms) + SLACK;
                let is_late = end.since(member.heard) > limit;
                let text = || format!("{id} has been silent since {:.3}", member.heard);
                is_late.then(text)
            });
            let mut wrong: Vec<String> = silent.collect();
            let is_gone = |id: &str| !view.members.contains_key(id);
            let gone = view.now.members.iter().map(|member| &member.id).filter(|id| is_gone(id));
            wrong.extend(gone.map(|id| format!("{id} was removed, and there was no rebalance")));
            if since > limits.unowned {
                wrong.extend(unowned(model, view).map(|at| format!("{at} has no owner")));
            }
            wrong
        }
    }
}

/// Partitions that members subscribe to and none has.
fn unowned<'a>(model: &'a Model, view: &'a GroupView) -> impl Iterator<Item = TopicPartition> + 'a {
    let members = &view.now.members;
    let are_consumers = members.iter().all(|member| member.partitions.is_some());
    let topics: BTreeSet<_> =
        members.iter().flat_map(|member| member.topics.iter().flatten()).collect();
    let owned: BTreeSet<_> =
        members.iter().flat_map(|member| member.partitions.iter().flatten()).collect();
    let is_deleted = |at: &TopicPartition| model.replicas.find(at).is_some_and(|one| one.deleted);
    let partitions = model
        .partitions()
        .filter(move |at| are_consumers && topics.contains(&at.topic) && !is_deleted(at));
    partitions.filter(move |at| !owned.contains(at))
}

#[cfg(test)]
mod tests {
    use super::super::told::{becomes, coordinator, group};
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::GroupState::{PreparingRebalance, Stable};
    use crate::history::{GroupObservation, Life, Removal};

    /// A group since the first second, in a run that ends at `end_ms`.
    fn ended(state: GroupState, partitions: &[i32], end_ms: u64) -> Story {
        let mut story = Story::default();
        story.created(&[1]);
        becomes(story.at(1_000), 1, state, 1, &[("m1", partitions)]);
        story.at(end_ms).life(2, Life::Paused);
        story
    }

    #[test]
    fn a_group_that_is_stable_with_members_that_are_heard_is_accepted() {
        assert_eq!(ended(Stable, &[0], 10_000).violation(&PROPERTY), None);
        assert_eq!(ended(Stable, &[], 10_000).violation(&PROPERTY), None);
        assert_eq!(ended(PreparingRebalance, &[], 100_000).violation(&PROPERTY), None);
    }

    #[test]
    fn what_does_not_end_is_rejected() {
        let text = "group g of b1: has rebalanced since 1.000s";
        let story = ended(PreparingRebalance, &[], 400_000);
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
        let text = "group g of b1: m1 has been silent since 1.000s";
        let story = ended(Stable, &[0], 14_000);
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    /// A group of c0 with these settings of its member.
    fn with_settings(mut story: Story, poll_s: u64, age_s: u64) -> Option<String> {
        let member = &mut story.terms.consumers[0];
        member.group = Some(group());
        member.max_poll_interval = Duration::from_secs(poll_s);
        member.metadata_max_age = Duration::from_secs(age_s);
        story.violation(&PROPERTY)
    }

    #[test]
    fn the_settings_of_the_members_decide_how_long_it_may_take() {
        let rebalances = |end_ms| ended(PreparingRebalance, &[], end_ms);
        assert!(with_settings(rebalances(32_000), 20, 300).is_some());
        assert_eq!(with_settings(rebalances(29_000), 20, 300), None);
        assert_eq!(with_settings(rebalances(400_000), 600, 300), None);
        let lacks = || ended(Stable, &[], 12_000);
        assert_eq!(with_settings(lacks(), 300, 10), None);
        let text = "group g of b1: orders-0 has no owner";
        assert_eq!(with_settings(lacks(), 300, 5).as_deref(), Some(text));
    }

    #[test]
    fn a_member_that_was_removed_has_no_partitions() {
        let mut story = Story::default();
        becomes(story.at(1_000), 1, Stable, 1, &[("m1", &[0]), ("m2", &[1])]);
        let (group, member) = (group(), "m2".into());
        let removed = GroupObservation::MemberRemoved { group, member, why: Removal::Left };
        coordinator(&mut story, 1, removed);
        let text = "group g of b1: m2 was removed, and there was no rebalance";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn a_partition_without_an_owner_is_found() {
        let mut story = Story::default();
        story.created(&[1]);
        becomes(story.at(1_000), 1, Stable, 1, &[("m1", &[])]);
        let (group, member) = (group(), "m1".into());
        coordinator(story.at(399_000), 1, GroupObservation::MemberHeard { group, member });
        story.at(400_000).life(2, Life::Paused);
        let text = "group g of b1: orders-0 has no owner";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }
}
