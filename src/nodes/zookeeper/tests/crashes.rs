//! Power losses at any moment, with all that a disk may do to what was not fsynced.

use std::collections::BTreeMap;

use super::*;

fn random_request(stream: &mut Stream) -> Request {
    let path = format!("/n{}", stream.below(6));
    let data = Some(Bytes::from(vec![7; stream.below(100) as usize]));
    match stream.below(4) {
        0 => Request::Create(Create::persistent(path, data)),
        1 => Request::Create(Create::new("/q-", data, 3)),
        2 => Request::Delete(Delete { path: path.into(), version: -1 }),
        _ => Request::SetData(SetData { path: path.into(), data, version: -1 }),
    }
}

/// The highest zxid in the replies on `conn`.
fn acknowledged(harness: &mut Harness, conn: ConnId) -> Zxid {
    let zxid = |payload| ReplyHeader::decode(&mut Reader::new(payload)).map(|header| header.zxid);
    harness
        .frames(conn)
        .into_iter()
        .filter_map(|payload| zxid(payload).ok())
        .max()
        .unwrap_or_default()
}

#[test]
fn no_power_loss_takes_what_was_acknowledged() {
    let (mut lost_something, mut fuzzy) = (0, 0);
    for seed in 0..150 {
        let mut stream = Seed(seed).stream("power");
        let mut harness = Harness::seeded(Seed(seed));
        for _ in 0..4 {
            let conns = [harness.attach().0, harness.attach().0];
            let mut acked = harness.state().last_zxid;
            let mut digests = BTreeMap::from([(acked, harness.state().digest())]);
            for xid in 1..=stream.within(1..=40) as i32 {
                let conn = conns[stream.below(2) as usize];
                harness.ask(conn, xid, &random_request(&mut stream));
                while harness.fsyncs() > 0 && stream.below(3) > 0 {
                    harness.sync_one();
                    digests.insert(harness.state().last_zxid, harness.state().digest());
                }
                acked = acked.max(acknowledged(&mut harness, conns[0]));
                acked = acked.max(acknowledged(&mut harness, conns[1]));
            }
            let proposed = harness.server().last_proposed();
            harness.lose_power();
            harness.sync();
            let found = harness.state().last_zxid;
            assert!(
                (acked..=proposed).contains(&found),
                "seed {seed}: {acked} was acknowledged, {found} is left"
            );
            if let Some(digest) = digests.get(&found) {
                assert_eq!(harness.state().digest(), *digest, "seed {seed} at {found}");
            }
            lost_something += u32::from(found < proposed);
        }
        let is_fuzzy = |seen: &&ZooKeeperObservation| match seen {
            ZooKeeperObservation::SnapshotRead { zxid, contains } => contains > zxid,
            _ => false,
        };
        fuzzy += harness.observed().iter().filter(is_fuzzy).count();
    }
    assert!(fuzzy > 20, "only {fuzzy} servers began with a fuzzy snapshot");
    assert!(lost_something > 100, "the power was lost too gently: {lost_something}");
}
