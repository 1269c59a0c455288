//! Members come, stay and go.

use kafka_protocol::messages::{ApiKey, DescribeGroupsRequest, JoinGroupResponse, ResponseKind};

use super::world::{World, group, join, protocol, text};

/// Two members of generation 1: the leader, and another whose join waited with it.
fn two(world: &mut World) -> (String, String) {
    let first = world.stable(None);
    let second = world.send_join(3, join(""));
    assert_eq!(world.beat(&first, 1, None), 27, "REBALANCE_IN_PROGRESS");
    let again = world.join(3, join(&first));
    let second = world.joined(second).expect("both have joined");
    assert_eq!((again.generation_id, second.generation_id), (2, 2));
    assert_eq!((again.members.len(), second.members.len()), (2, 0), "the leader alone has them");
    assert_eq!((&*second.leader, &*second.protocol_name.unwrap()), (&*first, "range"));
    (first, second.member_id.to_string())
}

#[test]
fn two_members_share_a_generation() {
    // `join.two-members`
    let mut world = World::new("2.8");
    let (first, second) = two(&mut world);
    let early = world.send_sync(&second, 2, &[]);
    assert_eq!(world.synced(early), None, "it waits for the leader's");
    let leader = world.send_sync(&first, 2, &[(&first, "L"), (&second, "O")]);
    assert_eq!(world.synced(leader).unwrap().assignment, "L");
    assert_eq!(world.synced(early).unwrap().assignment, "O");
    assert_eq!(world.beat(&first, 1, None), 22, "ILLEGAL_GENERATION");
    assert_eq!(world.leave(&second, None), (0, 0));
    assert_eq!(world.beat(&first, 2, None), 27);
    let (format, stored) = world.stored_group();
    assert_eq!((format, stored.generation, stored.members.len()), (3, 2, 2));
}

#[test]
fn each_release_stores_groups_in_its_format() {
    for (version, format) in [("0.11", 1), ("2.0", 1), ("2.1", 2), ("2.2", 2), ("2.3", 3)] {
        let mut world = World::new(version);
        world.stable(None);
        let (stored, value) = world.stored_group();
        assert_eq!((stored, value.members[0].assignment.as_ref()), (format, &b"all"[..]));
        assert_eq!(&*value.members[0].client_host, "/h", "{version}");
    }
}

#[test]
fn a_group_without_a_name_is_refused_as_in_each_release() {
    // `join.empty-group`, `groups.delete`
    for (version, generation, beat) in [("1.1", 0, 25), ("2.0", 0, 24), ("2.2", -1, 24)] {
        let mut world = World::new(version);
        let answer = world.join(3, join("").with_group_id(group("")));
        assert_eq!((answer.error_code, answer.generation_id), (24, generation), "{version}");
        assert_eq!(answer.protocol_name.as_deref(), Some(""), "{version}");
        let to = world.to(ApiKey::Heartbeat, 0);
        let request = kafka_protocol::messages::HeartbeatRequest::default();
        world.act(|groups, cx| groups.heartbeat(cx, to, request));
        let Some(ResponseKind::Heartbeat(answer)) = world.answer(to.conn) else { panic!() };
        assert_eq!(answer.error_code, beat, "{version}");
    }
    let mut world = World::new("2.8");
    assert_eq!(world.join(7, join("").with_group_id(group(""))).protocol_name, None);
}

#[test]
fn the_first_member_needs_a_protocol_since_1_0() {
    // `join.no-protocols`, `join.empty-protocol-type`
    for (version, error) in [("0.11", 0), ("1.0", 23), ("3.9", 23)] {
        let mut world = World::new(version);
        let answer = world.join(3, join("").with_protocol_type(text("")));
        assert_eq!(answer.error_code, error, "{version}");
    }
    let mut world = World::new("2.8");
    assert_eq!(world.join(3, join("").with_protocols(vec![])).error_code, 23);
    // `join.no-protocols` of 0.10.2.2 and 0.11.0.3
    let mut world = World::new("0.10");
    let failed = world.join(1, join("").with_protocols(vec![]));
    assert_eq!((failed.error_code, failed.generation_id), (-1, -1), "UNKNOWN_SERVER_ERROR");
    assert!(failed.member_id.is_empty() && failed.members.is_empty());
    let mut world = World::new("0.11");
    let waiting = world.send_join(1, join("").with_protocols(vec![]));
    world.pass(60_000);
    assert_eq!(world.joined(waiting), None);
    let next = world.join(1, join(""));
    assert_eq!(next.error_code, 23, "INCONSISTENT_GROUP_PROTOCOL: the group has none");
}

#[test]
fn sessions_have_bounds() {
    for (version, longest) in [("2.2", 300_000), ("2.3", 1_800_000)] {
        let mut world = World::new(version);
        let code = |world: &mut World, session| {
            world.join(3, join("").with_session_timeout_ms(session)).error_code
        };
        assert_eq!(code(&mut world, 5_999), 26, "INVALID_SESSION_TIMEOUT");
        assert_eq!(code(&mut world, longest + 1), 26);
        assert_eq!(code(&mut world, longest), 0);
    }
}

#[test]
fn a_member_joins_with_the_id_that_it_was_given() {
    let mut world = World::new("2.8");
    let first = world.join(4, join(""));
    assert_eq!((first.error_code, first.generation_id), (79, -1), "MEMBER_ID_REQUIRED");
    let id = first.member_id.to_string();
    assert!(id.starts_with("c-") && id.len() == 38, "{id}");
    let joined = world.join(4, join(&id));
    assert_eq!((joined.error_code, &*joined.member_id, joined.members.len()), (0, &*id, 1));
    assert_eq!(world.join(4, join("no")).error_code, 25, "UNKNOWN_MEMBER_ID");
    // An id that no client joins with is given up, and a rebalance does not wait for it.
    world.join(4, join(""));
    let again = world.send_join(4, join(&id).with_protocols(vec![protocol("range", "other")]));
    assert_eq!(world.joined(again), None);
    world.pass(10);
    assert_eq!(world.joined(again).unwrap().generation_id, 2);
}

#[test]
fn members_that_have_nothing_in_common_do_not_meet() {
    // `join.second.inconsistent-protocols`
    let mut world = World::new("2.8");
    let first = world.stable(None);
    let other = join("").with_protocols(vec![protocol("other", "m")]);
    assert_eq!(world.join(3, other).error_code, 23);
    assert_eq!(world.join(3, join("").with_protocol_type(text("connect"))).error_code, 23);
    assert_eq!(world.beat(&first, 1, None), 0);
}

#[test]
fn the_protocol_is_what_most_members_want_of_what_all_know() {
    let mut world = World::new("2.8");
    let both = |id: &str, names: [&str; 2]| {
        join(id).with_protocols(names.map(|name| protocol(name, "m")).to_vec())
    };
    let first = world.join(3, both("", ["range", "sticky"]));
    let (one, two) = (
        world.send_join(3, both("", ["sticky", "range"])),
        world.send_join(3, both("", ["sticky", "range"])),
    );
    let again = world.join(3, both(&first.member_id, ["range", "sticky"]));
    let name = |answer: JoinGroupResponse| answer.protocol_name.unwrap().to_string();
    assert_eq!(name(again), "sticky");
    assert_eq!(world.joined(one).map(name).as_deref(), Some("sticky"));
    assert_eq!(world.joined(two).map(name).as_deref(), Some("sticky"));
}

#[test]
fn an_empty_group_waits_for_members_to_come() {
    let mut world = World::of("2.8", |config| {
        config.groups.initial_rebalance_delay = std::time::Duration::from_secs(3);
    });
    let first = world.send_join(3, join(""));
    world.pass(2);
    assert_eq!(world.joined(first), None);
    let second = world.send_join(3, join(""));
    world.pass(3);
    assert_eq!(world.joined(first), None, "for one that came it waits again");
    world.pass(1);
    let (first, second) = (world.joined(first).unwrap(), world.joined(second).unwrap());
    assert_eq!((first.members.len(), second.generation_id), (2, 1));
}

#[test]
fn a_silent_member_is_removed_and_the_others_rebalance() {
    let mut world = World::new("2.8");
    let (first, second) = two(&mut world);
    let leader = world.send_sync(&first, 2, &[]);
    assert_eq!(world.synced(leader).unwrap().error_code, 0);
    world.send_sync(&second, 2, &[]);
    for _ in 0..3 {
        world.pass(4);
        world.beat(&first, 2, None);
    }
    assert_eq!(world.beat(&second, 2, None), 25);
    assert_eq!(world.join(3, join(&first)).generation_id, 3);
    // `member.session-expires`: the last one is gone, too, and the group is empty.
    world.pass(11);
    assert_eq!(world.beat(&first, 3, None), 25);
    assert_eq!(world.stored_group().1.members.len(), 0);
}

#[test]
fn a_member_that_has_joined_may_beat_before_it_syncs_since_2_6_1() {
    for (version, code) in [("2.2", 27), ("2.6.0", 27), ("2.6.1", 0), ("3.9", 0)] {
        let mut world = World::new(version);
        let joined = world.join(3, join(""));
        assert_eq!(world.beat(&joined.member_id, 1, None), code, "{version}");
        let wrong_generation = if version == "2.2" { 27 } else { 22 };
        assert_eq!(world.beat(&joined.member_id, 9, None), wrong_generation, "{version}");
    }
}

#[test]
fn a_member_that_never_syncs_is_removed_since_2_8_1() {
    for (version, code) in [("2.8.0", 0), ("2.8.1", 25)] {
        let mut world = World::new(version);
        let joined = world.join(3, join(""));
        let id = joined.member_id.to_string();
        for _ in 0..4 {
            world.pass(5);
            world.beat(&id, 1, None);
        }
        assert_eq!(world.beat(&id, 1, None), code, "{version}: after the rebalance timeout");
    }
}

#[test]
fn a_new_member_waits_for_five_minutes_at_most_since_2_1() {
    for (version, removed) in [("2.0", false), ("2.1", true)] {
        let mut world = World::new(version);
        let patient = |id: &str| join(id).with_rebalance_timeout_ms(1_000_000);
        let first = world.join(3, patient(""));
        let id = first.member_id.to_string();
        world.send_sync(&id, 1, &[]);
        let second = world.send_join(3, patient(""));
        for _ in 0..75 {
            world.pass(4);
            world.beat(&id, 1, None);
        }
        let answer = world.joined(second);
        assert_eq!(answer.is_some(), removed, "{version}");
        if let Some(answer) = answer {
            assert_eq!((answer.error_code, &*answer.member_id), (25, ""));
        }
    }
}

#[test]
fn a_full_group_takes_no_more_members() {
    for version in ["2.2", "2.6"] {
        let mut world = World::of(version, |config| config.groups.max_size = Some(1));
        let first = world.stable(None);
        assert_eq!(world.join(3, join("")).error_code, 81, "{version}: GROUP_MAX_SIZE_REACHED");
        assert_eq!(world.join(3, join(&first)).error_code, 0, "{version}");
    }
}

#[test]
fn timeouts_of_a_member_are_renewed_since_3_3_2() {
    for (version, kept) in [("3.3.1", true), ("3.3.2", false)] {
        let mut world = World::new(version);
        let id = world.stable(None);
        let again = world.join(3, join(&id).with_session_timeout_ms(60_000));
        world.send_sync(&id, again.generation_id, &[]);
        world.pass(30);
        assert_eq!(world.beat(&id, 2, None), if kept { 25 } else { 0 }, "{version}");
    }
}

#[test]
fn a_static_member_that_comes_back_has_its_assignment() {
    // `join.static-replaces`
    for version in ["2.3", "2.8", "3.9"] {
        let mut world = World::new(version);
        let first = world.stable(Some("one"));
        assert!(first.starts_with("one-"), "{first}");
        let back = world.join(5, join("").with_group_instance_id(Some(text("one"))));
        assert_eq!((back.error_code, back.generation_id), (0, 1), "{version}: no rebalance");
        assert_eq!((&*back.leader, back.members.len()), (&*first, 0), "it does not assign");
        let second = back.member_id.to_string();
        assert_eq!(world.beat(&first, 1, Some("one")), 82, "FENCED_INSTANCE_ID");
        assert_eq!(world.beat(&second, 1, Some("one")), 0);
        assert_eq!(world.beat(&second, 1, Some("two")), 0, "no other has that name");
        let sync = world.send_sync(&second, 1, &[]);
        assert_eq!(world.synced(sync).unwrap().assignment, "all");
        let persisted = *world.stored_group().1.members[0].id == *second;
        assert_eq!(persisted, version != "2.3", "{version}");
        assert_eq!(world.leave("", Some("no")), (0, 25));
        assert_eq!(world.leave("", Some("one")), (0, 0));
    }
    // Since 3.2 it knows that it leads, and that it has nothing to assign (KIP-814).
    let mut world = World::new("3.9");
    world.stable(Some("one"));
    let back = world.join(9, join("").with_group_instance_id(Some(text("one"))));
    assert_eq!((&back.leader, back.skip_assignment), (&back.member_id, true));
}

#[test]
fn a_static_member_that_comes_back_during_the_sync_has_an_assignment() {
    // KAFKA-9801: `updateStaticMemberAndRebalance` at 2.4.1 and 2.5.0.
    for (version, generation, leads) in [("2.4", 1, false), ("2.5", 2, true), ("2.8", 2, true)] {
        let mut world = World::new(version);
        let one = || join("").with_group_instance_id(Some(text("one")));
        let first = world.join(5, one());
        assert_eq!((first.error_code, first.generation_id), (0, 1), "{version}");
        let back = world.join(5, one());
        assert_eq!((back.error_code, back.generation_id), (0, generation), "{version}");
        assert_eq!((back.leader == back.member_id, back.members.len() == 1), (leads, leads));
    }
}

#[test]
fn an_absent_static_member_is_waited_for() {
    let mut world = World::new("2.8");
    world.stable(Some("one"));
    let second = world.send_join(3, join(""));
    assert_eq!(world.joined(second), None);
    world.pass(11);
    let second = world.joined(second).expect("the session of the first is over");
    assert_eq!(second.members.len(), 1);
}

#[test]
fn a_group_is_described_in_each_of_its_states() {
    let describe = |world: &mut World| {
        let to = world.to(ApiKey::DescribeGroups, 0);
        let request = DescribeGroupsRequest::default().with_groups(vec![group("g"), group("no")]);
        world.act(|groups, cx| groups.describe_groups(cx, to, &request));
        let Some(ResponseKind::DescribeGroups(answer)) = world.answer(to.conn) else { panic!() };
        assert_eq!((&*answer.groups[1].group_state, answer.groups[1].error_code), ("Dead", 0));
        answer.groups[0].clone()
    };
    for (version, name) in [("1.0", "AwaitingSync"), ("1.1", "CompletingRebalance")] {
        let mut world = World::new(version);
        let joined = world.join(2, join(""));
        let waits = describe(&mut world);
        assert_eq!((&*waits.group_state, &*waits.protocol_data), (name, ""));
        assert!(waits.members[0].member_metadata.is_empty());
        let id = joined.member_id.to_string();
        world.send_sync(&id, 1, &[(&id, "all")]);
        let stable = describe(&mut world);
        assert_eq!((&*stable.group_state, &*stable.protocol_data), ("Stable", "range"));
        assert_eq!(stable.members[0].member_assignment, "all");
        assert_eq!(stable.members[0].member_metadata, "m");
        world.leave(&id, None);
        let empty = describe(&mut world);
        assert_eq!((&*empty.group_state, &*empty.protocol_type), ("Empty", "consumer"));
    }
}
