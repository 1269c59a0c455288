//! What the history gets to know.

use super::world::{World, join, text};
use crate::nodes::broker::group::facts::partitions_of;

/// The facts of a test, in words; the member's id is `M`.
fn facts(world: &mut World, id: &str) -> Vec<String> {
    world.facts().into_iter().map(|fact| fact.replace(id, "M")).collect()
}

#[test]
fn a_life_of_a_group_is_told() {
    let mut world = World::new("2.8");
    assert_eq!(world.facts(), ["coordinates the groups of __consumer_offsets-0"]);
    let id = world.stable(None);
    assert_eq!(
        facts(&mut world, &id),
        [
            "group g: M of client c joins",
            "group g is PreparingRebalance, generation 0, M (leader)",
            "group g is CompletingRebalance, generation 1, M (leader)",
            // Its assignment is no consumer's.
            "group g is Stable, generation 1, M (leader)",
        ]
    );
    world.beat(&id, 1, None);
    world.commit("g", &id, 1, 5);
    world.pass(11);
    assert_eq!(
        facts(&mut world, &id),
        [
            "group g: M is alive",
            "group g: writes offsets of member M of generation 1: t-0@5",
            "group g: committed offsets of member M of generation 1 at 1: t-0@5",
            "group g: M is removed: silent for 10000ms",
            "group g is PreparingRebalance, generation 1",
            "group g is Empty, generation 2",
        ]
    );
    // A member that is none is not believed, and a commit that fails is not committed.
    world.commit("g", &id, 1, 6);
    world.holds = true;
    world.send_commit("g", "", -1, 7);
    world.release(Some(kafka_protocol::error::ResponseError::RequestTimedOut));
    let sent = "group g: writes offsets of a client that is no member: t-0@7";
    assert_eq!(world.facts(), [sent]);
}

#[test]
fn a_move_and_the_end_of_offsets_are_told() {
    let mut world = World::new("2.8");
    let id = world.stable(None);
    world.commit("g", &id, 1, 5);
    world.facts();
    world.act(|groups, cx| groups.resigned(cx, 0, Some(1)));
    world.act(|groups, cx| groups.elected(cx, 0, 2));
    world.pass(1);
    world.leave(&id, None);
    world.act(|groups, cx| groups.topic_deleted(cx, "t"));
    assert_eq!(
        facts(&mut world, &id),
        [
            "no longer coordinates the groups of __consumer_offsets-0: g",
            "coordinates the groups of __consumer_offsets-0",
            "loaded group g: Stable, generation 1, M (leader); offsets t-0@5",
            "group g: M is removed: left",
            "group g is PreparingRebalance, generation 1",
            "group g is Empty, generation 2",
            "group g: forgets the offsets of t-0",
            "group g is Dead, generation 2",
        ]
    );
}

#[test]
fn a_static_member_takes_the_place_of_its_last_life() {
    let mut world = World::new("2.8");
    let id = world.stable(Some("i"));
    world.facts();
    let again = world.join(5, join("").with_group_instance_id(Some(text("i"))));
    let now = again.member_id.to_string();
    let told = facts(&mut world, &id);
    assert_eq!(told, [format!("group g: M is removed: replaced by {now}")]);
}

#[test]
fn assignments_are_read_as_far_as_they_are_assignments() {
    let bytes = b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x03\xff\xff\xff\xff";
    let read = |bytes: &'static [u8]| {
        let partitions = partitions_of(bytes::Bytes::from_static(bytes));
        partitions.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(read(bytes), Some(vec!["t-0".to_owned(), "t-3".to_owned()]));
    assert_eq!(read(b""), Some(Vec::new()));
    assert_eq!(read(&bytes[..18]), None, "cut short");
    assert_eq!(read(b"\0\x01\x7f\xff\xff\xff\x7f\xff"), None, "a count that is none");
}
