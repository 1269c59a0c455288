//! No partition belongs to two members of one generation.

use std::collections::BTreeMap;

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{
    BrokerObservation, ClientObservation, GroupObservation, GroupSnapshot, GroupState, MemberEvent,
};
use crate::model::Permission;
use crate::model::groups::GroupAccount;
use crate::releases::Change;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "one-owner-per-partition",
    statement: "in a generation of a group, each partition belongs to at most one member: as the \
                coordinator gives them out, and as members take them; a member reads and commits \
                only what it has",
    source: "Kafka documentation, 4.5: consumer groups; C1 of the catalogue of known failures",
    leaves_out: "members of different generations: one that was removed and does not know it may \
                 read on, but commits nothing; assignors other than range, roundrobin, sticky and \
                 cooperative-sticky at coordinators; where acknowledged records may be lost, and \
                 with them generations, what members take twice is counted but permitted, as is \
                 what the sticky assignor gives twice before 2.3, where the claims of a member \
                 that comes back count like new ones (KAFKA-7026)",
    looks_at: Subject::Groups,
    class: Class::Safety,
};

/// Assignors that give a partition to one member.
const EXCLUSIVE: [&str; 4] = ["range", "roundrobin", "sticky", "cooperative-sticky"];

/// Looks at assignments.
#[derive(Debug)]
pub struct OneOwnerPerPartition;

/// A partition that two members have, in words.
fn shared(group: &GroupSnapshot) -> Option<String> {
    let mut owners = BTreeMap::new();
    for member in &group.members {
        for at in member.partitions.iter().flatten() {
            if let Some(other) = owners.insert(at, &member.id) {
                return Some(format!("{at} to {other} and to {}", member.id));
            }
        }
    }
    None
}

/// Whether this release's assignor of the group may give a partition twice.
fn permission(event: &Event<'_>, group: &str) -> Permission {
    let terms = &event.model.terms;
    let view = event.model.groups.find(group).and_then(GroupAccount::latest_view);
    let protocol = view.and_then(|(_, view)| view.now.protocol.as_deref());
    match protocol == Some("sticky") && !terms.kafka.has(Change::StickyGenerations) {
        true => Permission::Permitted,
        false => Permission::Forbidden,
    }
}

/// What a member did with a partition that it does not have, in words.
fn strayed(event: &Event<'_>, did: &ClientObservation) -> Option<String> {
    let is_foreign = |at| event.model.groups.has(event.node, at) == Some(false);
    match did {
        ClientObservation::Consumed { at, offset, .. } if is_foreign(at) => {
            Some(format!("read {at}@{offset}, which it had given up"))
        }
        ClientObservation::Member(did) => match &did.what {
            MemberEvent::CommitSent { offsets, .. } => {
                let foreign = offsets.iter().find(|one| is_foreign(&one.at))?;
                let (at, offset, group) = (&foreign.at, foreign.offset, &did.group);
                Some(format!("committed {at}@{offset} for group {group}, and does not have it"))
            }
            _ => None,
        },
        _ => None,
    }
}

impl Rule for OneOwnerPerPartition {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client, Kind::Broker];

    fn client(event: &Event<'_>, did: &ClientObservation, found: &mut Cases) {
        if let Some(what) = strayed(event, did) {
            return found.forbidden(|| event.node_did(what));
        }
        let ClientObservation::Member(did) = did else { return };
        let Some(shared) = event.model.groups.shared() else { return };
        let permission = match permission(event, &did.group) {
            Permission::Permitted => Permission::Permitted,
            Permission::Forbidden => event.model.terms.acknowledged_loss,
        };
        found.found(permission, || {
            event.node_did(format!(
                "took {} in generation {} of group {}, which {} has",
                shared.at, did.generation, did.group, shared.other
            ))
        });
    }

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Group(GroupObservation::StateChanged { group, now }) = did else {
            return;
        };
        let is_exclusive = now.protocol.as_ref().is_some_and(|name| EXCLUSIVE.contains(&&**name));
        if now.state != GroupState::Stable || !is_exclusive {
            return;
        }
        if let Some(what) = shared(now) {
            let generation = now.generation;
            found.found(permission(event, group), || {
                event.node_did(format!("gave {what} in generation {generation} of group {group}"))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{at, becomes, coordinator, group, member, member_at, snapshot};
    use super::*;
    use crate::checkers::Verdict;
    use crate::checkers::testing::{Story, orders};

    #[test]
    fn a_coordinator_gives_no_partition_twice() {
        let mut story = Story::default();
        becomes(&mut story, 1, GroupState::Stable, 1, &[("m1", &[0, 1]), ("m2", &[2])]);
        becomes(&mut story, 1, GroupState::Stable, 2, &[("m1", &[2]), ("m2", &[0, 1])]);
        assert_eq!(story.violation(&PROPERTY), None);
        becomes(&mut story, 1, GroupState::Stable, 3, &[("m1", &[0]), ("m2", &[1, 0])]);
        let text = "b1 gave orders-0 to m1 and to m2 in generation 3 of group g, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn a_member_reads_and_commits_what_it_has() {
        let took = || MemberEvent::Assigned { added: vec![orders()], owned: vec![orders()] };
        let mut story = Story::default();
        story.consumed(0, 0);
        assert_eq!(story.violation(&PROPERTY), None, "it is in no group");
        member(&mut story, "m1", 1, took());
        story.consumed(1, 1);
        member(&mut story, "m1", 1, MemberEvent::CommitSent { number: 1, offsets: at(2) });
        member(&mut story, "m1", 1, MemberEvent::Revoked { partitions: vec![orders()] });
        assert_eq!(story.violation(&PROPERTY), None);
        let text = "c0 committed orders-0@2 for group g, and does not have it, at 0.000s";
        let mut late = story.clone();
        member(&mut late, "m1", 1, MemberEvent::CommitSent { number: 2, offsets: at(2) });
        assert_eq!(late.violation(&PROPERTY).as_deref(), Some(text));
        story.consumed(2, 2);
        let text = "c0 read orders-0@2, which it had given up, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn before_2_3_the_sticky_assignor_may_give_a_partition_twice() {
        for (release, protocol, is_permitted) in
            [("2.2", "sticky", true), ("2.3", "sticky", false), ("2.2", "range", false)]
        {
            let mut story = Story::default();
            story.terms.kafka = release.parse().expect("a release");
            let mut now = snapshot(GroupState::Stable, 4, &[("m1", &[0]), ("m2", &[0])]);
            now.protocol = Some(protocol.into());
            let given = GroupObservation::StateChanged { group: group(), now };
            coordinator(&mut story, 1, given);
            let judgement = story.judgement();
            let found = judgement.find(&PROPERTY).expect("it is judged");
            assert!(matches!(found.verdict, Verdict::Violated(_)), "{release}, {protocol}");
            assert_eq!(found.permission == Permission::Permitted, is_permitted, "{release}");
        }
    }

    #[test]
    fn members_of_a_generation_do_not_take_the_same() {
        let took = || MemberEvent::Assigned { added: vec![orders()], owned: vec![orders()] };
        let mut story = Story::default();
        member(&mut story, "m1", 1, took());
        member_at(&mut story, Story::P0, "m2", 2, took());
        member_at(&mut story, Story::P0, "m2", 2, took());
        assert_eq!(story.violation(&PROPERTY), None, "m1 does not know of generation 2");
        member_at(&mut story, Story::P0, "m2-again", 2, took());
        assert_eq!(story.violation(&PROPERTY), None, "a static member that came back");
        member(&mut story, "m1", 2, took());
        let text = "c0 took orders-0 in generation 2 of group g, which m2-again has, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }
}
