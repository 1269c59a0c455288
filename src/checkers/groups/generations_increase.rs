//! The generation of a group never goes back.

use crate::checkers::{Cases, Class, Event, Kind, Property, Rule, Subject};
use crate::history::{BrokerObservation, GroupObservation, GroupState};
use crate::model::Permission;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "generations-increase",
    statement: "while a group lives, each rebalance ends in a later generation, and a broker that \
                takes the group over finds no generation earlier than one whose assignment was \
                written",
    source: "GroupMetadata.initNextGeneration, GroupMetadataManager.storeGroup; C2 of the \
             catalogue of known failures",
    leaves_out: "a generation that ended with its coordinator before its assignment was written: \
                 the next coordinator gives its number again; where acknowledged records may be \
                 lost, what a new coordinator finds is counted but permitted",
    looks_at: Subject::Groups,
    class: Class::Safety,
};

/// Looks at what coordinators know.
#[derive(Debug)]
pub struct GenerationsIncrease;

impl Rule for GenerationsIncrease {
    const PROPERTY: &'static Property = &PROPERTY;
    const READS: &'static [Kind] = &[Kind::Broker];

    fn broker(event: &Event<'_>, did: &BrokerObservation, found: &mut Cases) {
        let groups = &event.model.groups;
        let (permission, what) = match did {
            BrokerObservation::Group(GroupObservation::StateChanged { group, now }) => {
                let Some(before) = groups.generation_before() else { return };
                let begins =
                    matches!(now.state, GroupState::CompletingRebalance | GroupState::Empty);
                if now.generation > before || (now.generation == before && !begins) {
                    return;
                }
                let state = now.state;
                let what = format!("of group {group} after generation {before} ({state})");
                (Permission::Forbidden, format!("began generation {} {what}", now.generation))
            }
            BrokerObservation::Group(GroupObservation::Loaded { group, now, .. }) => {
                let newest = groups.find(group).and_then(|group| group.newest_stable());
                let Some((generation, since)) = newest else { return };
                if now.generation >= generation {
                    return;
                }
                let found = format!("found group {group} in generation {}", now.generation);
                let what = format!("{found}; generation {generation} was written at {since:.3}");
                (event.model.terms.acknowledged_loss, what)
            }
            _ => return,
        };
        found.found(permission, || event.node_did(what));
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{becomes, loads};
    use super::*;
    use crate::checkers::testing::Story;
    use crate::history::GroupState::{CompletingRebalance, Dead, PreparingRebalance, Stable};

    #[test]
    fn a_rebalance_ends_in_a_later_generation() {
        let mut story = Story::default();
        for (state, generation) in [(CompletingRebalance, 1), (Stable, 1), (PreparingRebalance, 1)]
        {
            becomes(&mut story, 1, state, generation, &[]);
        }
        let mut same = story.clone();
        becomes(&mut story, 1, CompletingRebalance, 2, &[]);
        becomes(&mut story, 1, Dead, 2, &[]);
        becomes(&mut story, 1, CompletingRebalance, 1, &[]);
        assert_eq!(story.violation(&PROPERTY), None);
        becomes(&mut same, 1, CompletingRebalance, 1, &[]);
        let text = "b1 began generation 1 of group g after generation 1 (CompletingRebalance), at \
                    0.000s";
        assert_eq!(same.violation(&PROPERTY).as_deref(), Some(text));
    }

    #[test]
    fn a_new_coordinator_finds_what_was_written() {
        let mut story = Story::default();
        becomes(&mut story, 1, Stable, 2, &[]);
        becomes(&mut story, 1, CompletingRebalance, 3, &[]);
        loads(&mut story, 2, 2, None);
        assert_eq!(story.violation(&PROPERTY), None, "generation 3 was not written");
        loads(&mut story, 3, 1, None);
        let text =
            "b3 found group g in generation 1; generation 2 was written at 0.000s, at 0.000s";
        assert_eq!(story.violation(&PROPERTY).as_deref(), Some(text));
    }
}
