//! A member commits no offset below where it began to read.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{ClientObservation, MemberEvent};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "commits-follow-positions",
    statement: "a committed offset goes back only when a member's position was put back: a member \
                commits no offset below where it began to read the partition, or where its reset \
                policy or a truncation put it",
    source: "KafkaConsumer: auto-commit commits positions; Jepsen's Kafka checker, \
             nonmonotonic-poll",
    leaves_out: "clients from outside, which may seek and commit as they like; partitions of which \
                 it is not known where the member began",
    looks_at: Subject::Groups,
    class: Class::Safety,
};

/// Looks at what members commit.
#[derive(Debug)]
pub struct CommitsFollowPositions;

impl Rule for CommitsFollowPositions {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client];

    fn client(event: &Event<'_>, did: &ClientObservation, found: &mut Cases) {
        let ClientObservation::Member(did) = did else { return };
        let MemberEvent::CommitSent { offsets, .. } = &did.what else { return };
        for one in offsets {
            let lowest = event.model.groups.lowest_position(event.node, &one.at);
            let Some(lowest) = lowest.filter(|lowest| one.offset < *lowest) else { continue };
            found.forbidden(|| {
                event.node_did(format!(
                    "committed {}@{} for group {}, and was never below {lowest}",
                    one.at, one.offset, did.group
                ))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{at, member};
    use super::*;
    use crate::checkers::testing::{Story, orders};

    fn begun(story: &mut Story, offset: i64) {
        let what = MemberEvent::PositionBegun { at: orders(), offset, is_committed: true };
        member(story, "m1", 1, what);
    }

    fn commit(story: &mut Story, offset: i64) {
        member(story, "m1", 1, MemberEvent::CommitSent { number: 1, offsets: at(offset) });
    }

    #[test]
    fn commits_go_on_from_where_a_member_began() {
        let mut story = Story::default();
        commit(&mut story, 3);
        begun(&mut story, 10);
        commit(&mut story, 10);
        commit(&mut story, 12);
        assert_eq!(story.violation(&PROPERTY), None);
        commit(&mut story, 9);
        let text = "c0 committed orders-0@9 for group g, and was never below 10, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn a_position_that_was_put_back_is_committed() {
        let mut story = Story::default();
        begun(&mut story, 10);
        story.position_reset(4);
        commit(&mut story, 5);
        let revoked = MemberEvent::Revoked { partitions: vec![orders()] };
        member(&mut story, "m1", 1, revoked);
        commit(&mut story, 1);
        assert_eq!(story.violation(&PROPERTY), None);
    }
}
