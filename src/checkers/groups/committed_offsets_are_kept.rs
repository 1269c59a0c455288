//! What was committed is found again.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkers::{Case, Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, ClientObservation, GroupObservation, MemberEvent};
use crate::model::committed::Committed;
use crate::vocab::{Offset, TopicPartition};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "committed-offsets-are-kept",
    statement: "a commit is answered when it is written; a broker that takes a group over, and \
                every OffsetFetch, has the offset that was committed last in each partition, or a \
                later one that is being committed",
    source: "Kafka documentation, 4.5: offset management; C2 and C3 of the catalogue of known \
             failures (KAFKA-4362, KAFKA-5600, KAFKA-8069)",
    leaves_out: "offsets that expired or were deleted, until others are committed; what a broker \
                 answers that was replaced and does not know it; where acknowledged records may \
                 be lost, violations are counted but permitted",
    looks_at: Subject::Groups,
    class: Class::Safety,
};

/// Looks at what brokers take over, and at what members fetch.
#[derive(Debug)]
pub struct CommittedOffsetsAreKept;

fn words(offset: Option<Offset>) -> String {
    offset.map_or_else(|| "none".to_owned(), |offset| offset.to_string())
}

/// Someone found another offset than it should.
fn wrong(
    event: &Event<'_>,
    did: &str,
    group: &str,
    (at, offset): (&TopicPartition, Option<Offset>),
    known: &Committed,
) -> Case {
    let expected = match known.written_last() {
        Some(written) => format!("{} was written at {:.3}", written.offset, written.since),
        None => "none was written".to_owned(),
    };
    let offset = words(offset);
    event.node_did(format!("{did} offset {offset} of group {group} in {at}; {expected}"))
}

impl Rule for CommittedOffsetsAreKept {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client, Kind::Broker];

    fn client(event: &Event<'_>, did: &ClientObservation, found: &mut Cases) {
        let ClientObservation::Member(did) = did else { return };
        let Some(group) = event.model.groups.find(&did.group) else { return };
        if let MemberEvent::CommitAnswered { results, .. } = &did.what {
            let sent = event.model.groups.answered().map(|sent| &sent.offsets[..]);
            let right = results.iter().filter(|(_, error)| error.is_none()).map(|(at, _)| at);
            let right: BTreeSet<_> = right.collect();
            for one in sent.unwrap_or_default().iter().filter(|one| right.contains(&one.at)) {
                // A group that was deleted meanwhile is not known any more.
                let known = group.committed().get(&one.at);
                if known.is_some_and(|known| !known.was_written(one.offset)) {
                    found.found(event.model.terms.acknowledged_loss, || {
                        let (at, offset, name) = (&one.at, one.offset, &did.group);
                        let what = format!("had {at}@{offset} acknowledged for group {name}");
                        event.node_did(format!("{what}, which no coordinator had written"))
                    });
                }
            }
        }
        let MemberEvent::CommittedFetched { sent, offsets } = &did.what else { return };
        for (at, offset) in offsets {
            let Some(known) = group.committed().get(at) else { continue };
            if known.can_be(*offset, *sent) || group.is_known_elsewhere(at, *offset, *sent) {
                continue;
            }
            found.found(event.model.terms.acknowledged_loss, || {
                wrong(event, "was answered", &did.group, (at, *offset), known)
            });
        }
    }

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Group(GroupObservation::Loaded { group, offsets, .. }) = did else {
            return;
        };
        let Some(account) = event.model.groups.find(group) else { return };
        let loaded: BTreeMap<_, _> = offsets.iter().map(|one| (&one.at, one.offset)).collect();
        for (at, known) in account.committed() {
            let loaded = loaded.get(at).copied();
            // What was written before another commit is written no more.
            if !known.can_be(loaded, event.time) {
                found.found(event.model.terms.acknowledged_loss, || {
                    wrong(event, "loaded", group, (at, loaded), known)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{accepts, at, becomes, commits, coordinator, group, loads, member};
    use super::*;
    use crate::checkers::testing::{Story, orders};
    use crate::history::GroupState::Stable;
    use crate::vocab::Time;

    fn committed() -> Story {
        let mut story = Story::default();
        becomes(story.at(1_000), 1, Stable, 1, &[("m1", &[0])]);
        for (offset, ms) in [(5, 2_000), (9, 3_000)] {
            accepts(story.at(ms), 1, "m1", 1, offset);
            commits(story.at(ms + 10), 1, offset, offset);
        }
        story.at(4_000);
        story
    }

    #[test]
    fn the_next_coordinator_has_what_was_committed_last() {
        let mut story = committed();
        loads(&mut story, 2, 1, Some(9));
        assert_eq!(story.violation(&PROPERTY), None);
        for (offset, found) in [(Some(5), "5"), (None, "none")] {
            let mut story = committed();
            loads(&mut story, 2, 1, offset);
            let text = format!(
                "b2 loaded offset {found} of group g in orders-0; 9 was written at 3.010s, at \
                 4.000s"
            );
            assert_eq!(story.violation(&PROPERTY), Some(text));
        }
    }

    #[test]
    fn a_commit_is_answered_when_it_is_written() {
        let answered = |offset| {
            let mut story = committed();
            let sent = MemberEvent::CommitSent { number: 1, offsets: at(offset) };
            member(&mut story, "m1", 1, sent);
            let results = vec![(orders(), None)];
            member(&mut story, "m1", 1, MemberEvent::CommitAnswered { number: 1, results });
            story.violation(&PROPERTY)
        };
        assert_eq!(answered(9), None);
        let text = "c0 had orders-0@11 acknowledged for group g, which no coordinator had written, \
                    at 4.000s";
        assert_eq!(answered(11).as_deref(), Some(text));
    }

    #[test]
    fn it_may_have_what_was_being_committed() {
        let mut story = committed();
        accepts(&mut story, 1, "m1", 1, 12);
        loads(&mut story, 2, 1, Some(12));
        loads(&mut story, 3, 1, Some(9));
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn a_member_finds_what_was_committed_last() {
        let fetched = |offset| {
            let (sent, offsets) = (Time::from_millis(3_500), vec![(orders(), offset)]);
            MemberEvent::CommittedFetched { sent, offsets }
        };
        let mut story = committed();
        member(&mut story, "m1", 1, fetched(Some(9)));
        assert_eq!(story.violation(&PROPERTY), None);
        member(&mut story, "m1", 1, fetched(Some(5)));
        let text = "c0 was answered offset 5 of group g in orders-0; 9 was written at 3.010s, at \
                    4.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
        // A coordinator that was replaced and does not know it.
        let mut story = committed();
        loads(&mut story, 2, 1, Some(9));
        accepts(&mut story, 2, "m1", 1, 20);
        commits(story.at(4_100), 2, 20, 30);
        let late = MemberEvent::CommittedFetched {
            sent: Time::from_millis(4_200),
            offsets: vec![(orders(), Some(9))],
        };
        member(story.at(4_300), "m1", 1, late);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn the_answer_of_a_broker_that_has_resigned_may_still_come() {
        for (sent_ms, is_late) in [(4_050, false), (4_250, true)] {
            let mut story = committed();
            loads(&mut story, 2, 1, Some(9));
            accepts(story.at(4_010), 2, "m1", 1, 20);
            commits(story.at(4_020), 2, 20, 30);
            let groups = vec![group()];
            let resigned = GroupObservation::CoordinatorResigned { partition: 0, groups };
            coordinator(story.at(4_200), 1, resigned);
            let (sent, offsets) = (Time::from_millis(sent_ms), vec![(orders(), Some(9))]);
            member(story.at(4_300), "m1", 1, MemberEvent::CommittedFetched { sent, offsets });
            assert_eq!(story.violation(&PROPERTY).is_some(), is_late, "{sent_ms}");
        }
    }
}
