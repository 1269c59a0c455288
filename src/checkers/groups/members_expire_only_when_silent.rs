//! Members expire only after a silence of their session timeout.

use std::time::Duration;

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, GroupObservation, Removal};

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "members-expire-only-when-silent",
    statement: "a coordinator removes a member as silent only when it accepted nothing from it for \
                the session timeout",
    source: "Kafka documentation, session.timeout.ms; GroupCoordinator.onExpireHeartbeat",
    leaves_out: "whether a coordinator gets what was sent to it; members that do not join again in \
                 time, or do not ask for their assignment; a thousandth of the timeout, by which \
                 clocks may differ",
    looks_at: Subject::Groups,
    class: Class::Safety,
};

/// Looks at members that expire.
#[derive(Debug)]
pub struct MembersExpireOnlyWhenSilent;

impl Rule for MembersExpireOnlyWhenSilent {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let BrokerObservation::Group(GroupObservation::MemberRemoved {
            group,
            member,
            why: Removal::Expired { timeout_ms },
        }) = did
        else {
            return;
        };
        let Some(view) = event.model.groups.removed() else { return };
        let (silent, timeout) = (event.time.since(view.heard), Duration::from_millis(*timeout_ms));
        if silent + timeout / 1_000 >= timeout {
            return;
        }
        let silent_ms = silent.as_millis();
        found.forbidden(|| {
            event.node_did(format!(
                "removed {member} of group {group} as silent, after {silent_ms}ms; its session \
                 timeout is {timeout_ms}ms"
            ))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{becomes, coordinator, group};
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::GroupState::Stable;

    fn expired(heard_ms: u64) -> Story {
        let mut story = Story::default();
        becomes(story.at(1_000), 1, Stable, 1, &[("m1", &[0])]);
        let (group, member) = (group(), "m1".into());
        let heard = GroupObservation::MemberHeard { group, member };
        coordinator(story.at(heard_ms), 1, heard.clone());
        let GroupObservation::MemberHeard { group, member } = heard else { unreachable!() };
        let why = Removal::Expired { timeout_ms: 10_000 };
        let removed = GroupObservation::MemberRemoved { group, member, why };
        coordinator(story.at(14_000), 1, removed);
        story
    }

    #[test]
    fn a_member_expires_after_its_session_timeout_and_not_before() {
        assert_eq!(expired(4_000).violation(&PROPERTY), None);
        let text = "b1 removed m1 of group g as silent, after 9900ms; its session timeout is \
                    10000ms, at 14.000s";
        assert_eq!(expired(4_100).violation(&PROPERTY).as_deref(), Some(text));
    }
}
