//! A partition of `__consumer_offsets` moves, and its groups with it.

use kafka_protocol::messages::{ApiKey, ListGroupsRequest, ResponseKind};

use super::world::{World, join};

/// The error of a heartbeat, of a SyncGroup, of an OffsetFetch and of a ListGroups.
fn errors(world: &mut World, id: &str) -> [i16; 4] {
    let beat = world.beat(id, 1, None);
    let sync = world.send_sync(id, 1, &[]);
    let sync = world.synced(sync).unwrap().error_code;
    let fetch = world.fetch("g", "t", false).0;
    let to = world.to(ApiKey::ListGroups, 0);
    world.act(|groups, cx| groups.list_groups(cx, to, &ListGroupsRequest::default()));
    let Some(ResponseKind::ListGroups(list)) = world.answer(to.conn) else { panic!() };
    [beat, sync, fetch, list.error_code]
}

#[test]
fn members_generation_and_offsets_survive_a_move() {
    let mut world = World::new("2.8");
    let id = world.stable(None);
    world.commit("g", &id, 1, 5);
    world.commit("simple", "", -1, 7);
    world.act(|groups, cx| groups.resigned(cx, 0, Some(1)));
    assert_eq!(errors(&mut world, &id), [16, 16, 16, 0], "NOT_COORDINATOR");
    world.act(|groups, cx| groups.elected(cx, 0, 2));
    world.pass(1);
    assert_eq!(world.beat(&id, 1, None), 0, "no rebalance");
    let sync = world.send_sync(&id, 1, &[]);
    assert_eq!(world.synced(sync).unwrap().assignment, "all");
    assert_eq!(world.fetch("g", "t", false), (0, 5, 0));
    assert_eq!(world.fetch("simple", "t", false), (0, 7, 0));
    // Its session began when it was loaded.
    world.pass(11);
    assert_eq!(world.beat(&id, 1, None), 25);
}

#[test]
fn requests_that_wait_are_told_that_the_coordinator_moved() {
    let mut world = World::new("2.8");
    let first = world.stable(None);
    let second = world.send_join(3, join(""));
    world.act(|groups, cx| groups.resigned(cx, 0, Some(1)));
    assert_eq!(world.joined(second).unwrap().error_code, 16);
    // A rebalance that was under way is lost: the generation before it is the one that was stored.
    world.act(|groups, cx| groups.elected(cx, 0, 2));
    world.pass(1);
    assert_eq!(world.beat(&first, 1, None), 0);
    let joined = world.send_join(3, join(&first));
    let joined = world.joined(joined).expect("it is alone");
    let waits = world.send_sync(&first, joined.generation_id, &[]);
    world.synced(waits);
    world.holds = true;
    let again = world.join(3, join(&first));
    let waits = world.send_sync(&first, again.generation_id, &[]);
    world.act(|groups, cx| groups.resigned(cx, 0, Some(3)));
    assert_eq!(world.synced(waits).unwrap().error_code, 16);
    world.release(None);
}

#[test]
fn while_groups_are_loaded_each_release_says_so_in_its_way() {
    for (version, expected) in
        [("1.0", [16, 16, 16, 0]), ("1.1", [0, 27, 14, 14]), ("2.8", [0, 27, 14, 14])]
    {
        let mut world = World::new(version);
        let id = world.stable(None);
        world.act(|groups, cx| groups.resigned(cx, 0, Some(1)));
        world.act(|groups, cx| groups.elected(cx, 0, 2));
        assert_eq!(errors(&mut world, &id), expected, "{version}");
        world.pass(1);
        assert_eq!(errors(&mut world, &id), [0; 4], "{version}");
    }
}

#[test]
fn a_late_resignation_does_not_unload_a_group_since_2_8_1() {
    for (version, code) in [("2.8.0", 16), ("2.8.1", 0)] {
        let mut world = World::new(version);
        let id = world.stable(None);
        world.act(|groups, cx| groups.resigned(cx, 0, Some(1)));
        world.act(|groups, cx| groups.elected(cx, 0, 3));
        world.pass(1);
        world.act(|groups, cx| groups.resigned(cx, 0, Some(2)));
        assert_eq!(world.beat(&id, 1, None), code, "{version}");
    }
}

#[test]
fn a_partition_that_moves_on_while_it_is_loaded_is_not_owned() {
    let mut world = World::new("2.8");
    let id = world.stable(None);
    world.act(|groups, cx| groups.resigned(cx, 0, Some(1)));
    world.act(|groups, cx| groups.elected(cx, 0, 2));
    world.act(|groups, cx| groups.resigned(cx, 0, Some(3)));
    world.pass(1);
    assert_eq!(world.beat(&id, 1, None), 16);
    world.act(|groups, cx| groups.elected(cx, 0, 4));
    world.pass(1);
    assert_eq!(world.beat(&id, 1, None), 0);
}
