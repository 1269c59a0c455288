//! Only members of the current generation commit offsets.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{
    BrokerObservation, ClientObservation, GroupObservation, GroupState, MemberEvent,
};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "commits-are-fenced",
    statement: "a coordinator accepts offsets from members of its current generation only, and \
                from clients without a generation only while the group has no members; no commit \
                succeeds that a member sent after a later generation than its own was stable",
    source: "GroupCoordinator.validateOffsetCommit; C1 and C4 of the catalogue of known failures",
    leaves_out: "static members that another process has replaced, whose commits are refused by \
                 their ids; where acknowledged records may be lost, and with them generations, \
                 commits of members that succeed are counted but permitted",
    looks_at: Subject::Groups,
    class: Class::Safety,
};

/// Looks at commits that coordinators accept, and at those that succeed.
#[derive(Debug)]
pub struct CommitsAreFenced;

impl Rule for CommitsAreFenced {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Client, Kind::Broker];

    fn client(event: &Event<'_>, did: &ClientObservation, found: &mut Cases) {
        let ClientObservation::Member(did) = did else { return };
        let MemberEvent::CommitAnswered { results, .. } = &did.what else { return };
        let Some(commit) = event.model.groups.answered().filter(|sent| sent.generation >= 0) else {
            return;
        };
        let account = event.model.groups.find(&did.group);
        let later = account.and_then(|group| group.stable_after(commit.generation, commit.sent));
        let (Some((later, since)), true) = (later, results.iter().any(|(_, e)| e.is_none())) else {
            return;
        };
        found.found(event.model.terms.acknowledged_loss, || {
            event.node_did(format!(
                "committed as {} of generation {} of group {}, sent at {:.3}; generation {later} \
                 was stable since {since:.3}",
                did.member, commit.generation, did.group, commit.sent
            ))
        });
    }

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Group(GroupObservation::CommitAccepted {
            group,
            member,
            generation,
            ..
        }) = did
        else {
            return;
        };
        let account = event.model.groups.find(group);
        let view = account.and_then(|account| account.view(event.node));
        let why = match view {
            None if *generation < 0 => return,
            None => "which it does not know".to_owned(),
            Some(view) if *generation < 0 && view.now.state == GroupState::Empty => return,
            Some(view) if !view.members.contains_key(member) => "which is no member".to_owned(),
            Some(view) if view.now.generation != *generation => {
                format!("and the group is in generation {}", view.now.generation)
            }
            Some(_) => return,
        };
        found.forbidden(|| {
            event.node_did(format!(
                "accepted offsets of group {group} from `{member}` of generation {generation}, \
                 {why}"
            ))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{accepts, becomes, member};
    use super::*;
    use crate::checkers::testing::{Story, orders};
    use crate::history::GroupState::{Empty, PreparingRebalance, Stable};

    #[test]
    fn members_of_the_generation_commit_and_others_when_there_is_none() {
        let mut story = Story::default();
        accepts(&mut story, 1, "", -1, 5);
        becomes(&mut story, 1, Stable, 1, &[("m1", &[0])]);
        accepts(&mut story, 1, "m1", 1, 6);
        becomes(&mut story, 1, PreparingRebalance, 1, &[("m1", &[0])]);
        accepts(&mut story, 1, "m1", 1, 7);
        becomes(&mut story, 1, Empty, 2, &[]);
        accepts(&mut story, 1, "", -1, 5);
        assert_eq!(story.violation(&PROPERTY), None);
    }

    #[test]
    fn others_do_not() {
        for (id, generation, why) in [
            ("m1", 1, "and the group is in generation 2"),
            ("m2", 2, "which is no member"),
            ("", -1, "which is no member"),
        ] {
            let mut story = Story::default();
            becomes(&mut story, 1, Stable, 2, &[("m1", &[0])]);
            accepts(&mut story, 1, id, generation, 6);
            let text = format!(
                "b1 accepted offsets of group g from `{id}` of generation {generation}, {why}, at \
                 0.000s"
            );
            assert_eq!(story.violation(&PROPERTY), Some(text));
        }
    }

    fn committed(sent_ms: u64, generation: i32, error: Option<&str>) -> Story {
        let mut story = Story::default();
        let sent = || MemberEvent::CommitSent { number: 7, offsets: Vec::new() };
        becomes(story.at(1_000), 1, Stable, 1, &[("m1", &[0])]);
        if sent_ms < 2_000 {
            member(story.at(sent_ms), "m1", generation, sent());
        }
        becomes(story.at(2_000), 2, Stable, 2, &[("m2", &[0])]);
        if sent_ms >= 2_000 {
            member(story.at(sent_ms), "m1", generation, sent());
        }
        let results = vec![(orders(), error.map(Into::into))];
        let answered = MemberEvent::CommitAnswered { number: 7, results };
        member(story.at(4_000), "m1", generation, answered);
        story
    }

    #[test]
    fn no_commit_of_an_old_generation_succeeds_wherever_it_was_sent() {
        assert_eq!(committed(1_500, 1, None).violation(&PROPERTY), None, "it was on its way");
        let refused = committed(3_000, 1, Some("ILLEGAL_GENERATION"));
        assert_eq!(refused.violation(&PROPERTY), None);
        assert_eq!(committed(3_000, 2, None).violation(&PROPERTY), None);
        let text = "c0 committed as m1 of generation 1 of group g, sent at 3.000s; generation 2 \
                    was stable since 2.000s, at 4.000s";
        assert_eq!(committed(3_000, 1, None).violation(&PROPERTY).as_deref(), Some(text));
    }
}
