//! Tests of the log against a disk that forgets what was not fsynced.

use std::collections::BTreeMap;

use super::super::txn::Record;
use super::*;
use crate::vocab::step::Effect;
use crate::wire::zookeeper::{Acl, Code};

/// Files in the page cache, and fsyncs that wait to be let through.
#[derive(Default)]
struct Disk {
    fx: Effects<Observation>,
    files: BTreeMap<FileName, Vec<u8>>,
    waiting: Vec<DiskOpId>,
    requests: Vec<DiskRequest>,
}

impl Disk {
    fn play(&mut self) {
        let effects: Vec<_> = self.fx.drain().collect();
        for effect in effects {
            let Effect::Disk { op, request } = effect else { continue };
            self.requests.push(request.clone());
            match request {
                DiskRequest::Append { file, bytes } => {
                    self.files.entry(file).or_default().extend(bytes.bytes());
                }
                DiskRequest::Write { file, bytes } => {
                    self.files.insert(file, bytes.to_vec());
                }
                DiskRequest::Truncate { file, len } => {
                    self.files.get_mut(&file).unwrap().truncate(len as usize);
                }
                DiskRequest::Rename { from, to } => {
                    let content = self.files.remove(&from).unwrap();
                    self.files.insert(to, content);
                }
                DiskRequest::Delete { file } => {
                    self.files.remove(&file).unwrap();
                }
                DiskRequest::Fsync { .. } | DiskRequest::FsyncDirectory => self.waiting.push(op),
            }
        }
    }

    fn image(&self) -> DiskImage {
        let pieces = |bytes: &Vec<u8>| bytes.chunks(7).map(<[u8]>::to_vec).collect();
        self.files.iter().map(|(name, bytes)| (name.clone(), pieces(bytes))).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.files.keys().map(|name| &**name).collect()
    }

    /// Lets one fsync through.
    fn done(&mut self, log: &mut Log) -> Synced {
        let synced = log.synced(self.waiting.remove(0), &mut self.fx);
        self.play();
        synced
    }

    fn recover(&mut self, every: u64) -> Result<(Log, State), LogError> {
        let image = self.image();
        let Recovered { mut log, state, .. } = Log::recover(&image, every, &mut self.fx)?;
        self.play();
        while !log.is_ready() {
            self.done(&mut log);
        }
        Ok((log, state))
    }
}

fn txn(zxid: i64) -> Txn {
    let record = match zxid {
        1 => Record::CreateSession { timeout_ms: 4_000, password: [3; 16] },
        n if n % 3 == 0 => Record::Error(Code::NO_NODE),
        n => Record::Create {
            path: format!("/n{n}").into(),
            data: Some(Bytes::from(format!("data {n}"))),
            acl: Acl::open(),
            lifetime: super::super::txn::Lifetime::Ephemeral { owner: 9 },
            parent_creates: n as i32,
        },
    };
    Txn { session: 9, cxid: 1, zxid: Zxid(zxid), time_ms: zxid, record }
}

/// Writes `zxids` as a server does: append, fsync, apply, one after the other.
fn write(disk: &mut Disk, log: &mut Log, state: &mut State, zxids: std::ops::RangeInclusive<i64>) {
    for zxid in zxids {
        log.append(Zxid(zxid), &txn(zxid).encode());
        log.flush(&mut disk.fx);
        disk.play();
        while !disk.waiting.is_empty() {
            if disk.done(log) == Synced::Durable(Zxid(zxid)) {
                state.apply(&txn(zxid), &mut Changes::new());
            }
            log.snapshot_if_due(state, &mut disk.fx);
            disk.play();
        }
        assert_eq!(state.last_zxid, Zxid(zxid), "nothing is durable without an fsync");
    }
}

#[test]
fn what_comes_during_an_fsync_goes_together_with_the_next() {
    let mut disk = Disk::default();
    let (mut log, _) = disk.recover(100).unwrap();
    log.append(Zxid(1), &txn(1).encode());
    log.flush(&mut disk.fx);
    for zxid in 2..=4 {
        log.append(Zxid(zxid), &txn(zxid).encode());
        log.flush(&mut disk.fx);
    }
    disk.play();
    assert_eq!(disk.done(&mut log), Synced::Other, "the new file's name is not durable yet");
    assert_eq!(disk.done(&mut log), Synced::Durable(Zxid(1)));
    assert!(disk.waiting.is_empty());
    log.flush(&mut disk.fx);
    disk.play();
    assert_eq!(disk.done(&mut log), Synced::Durable(Zxid(4)));
}

#[test]
fn recovery_finds_the_state_before_whatever_snapshots_there_were() {
    for every in [1, 2, 3, 5, 100] {
        let mut disk = Disk::default();
        let (mut log, mut state) = disk.recover(every).unwrap();
        write(&mut disk, &mut log, &mut state, 1..=20);
        let (mut log, mut again) = disk.recover(every).unwrap();
        assert_eq!(again.digest(), state.digest(), "a snapshot every {every}");
        assert_eq!(again, state);
        write(&mut disk, &mut log, &mut again, 21..=30);
        assert_eq!(disk.recover(every).unwrap().1, again);
    }
}

#[test]
fn the_disk_stays_bounded_and_no_temporary_file_stays() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(4).unwrap();
    write(&mut disk, &mut log, &mut state, 1..=200);
    let names = disk.names();
    assert!(names.len() <= 6, "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("snapshot.")).count(), 2, "{names:?}");
}

#[test]
fn a_torn_end_is_cut_wherever_it_is_torn_and_the_log_goes_on() {
    let mut whole = Disk::default();
    let (mut log, mut state) = whole.recover(100).unwrap();
    write(&mut whole, &mut log, &mut state, 1..=3);
    let name: FileName = "log.1".into();
    let durable = whole.files[&name].len();
    let before = state.digest();
    write(&mut whole, &mut log, &mut state, 4..=4);
    for torn in durable + 1..whole.files[&name].len() {
        let mut disk = Disk { files: whole.files.clone(), ..Disk::default() };
        disk.files.get_mut(&name).unwrap().truncate(torn);
        let (mut log, mut state) = disk.recover(100).unwrap();
        assert_eq!((state.digest(), disk.files[&name].len()), (before, durable));
        write(&mut disk, &mut log, &mut state, 4..=5);
        assert_eq!(disk.recover(100).unwrap().1, state);
    }
    // A sector of the last entry that never came.
    let mut disk = Disk { files: whole.files.clone(), ..Disk::default() };
    disk.files.get_mut(&name).unwrap()[durable + 2..durable + 20].fill(0);
    assert_eq!(disk.recover(100).unwrap().1.digest(), before);
}

#[test]
fn a_first_file_torn_inside_its_header_is_an_empty_log() {
    for len in 0..=LOG_HEADER.len() - 1 {
        let mut disk = Disk::default();
        disk.files.insert("log.1".into(), LOG_HEADER[..len].to_vec());
        let (mut log, mut state) = disk.recover(100).unwrap();
        assert_eq!(state.last_zxid, Zxid(0));
        write(&mut disk, &mut log, &mut state, 1..=2);
        assert_eq!(disk.recover(100).unwrap().1, state);
    }
}

#[test]
fn damage_that_no_torn_write_explains_stops_the_server() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(4).unwrap();
    write(&mut disk, &mut log, &mut state, 1..=9);
    let logs: Vec<FileName> =
        disk.files.keys().filter(|name| name.starts_with("log.")).cloned().collect();
    let mut rotten = Disk { files: disk.files.clone(), ..Disk::default() };
    *rotten.files.get_mut(&logs[0]).unwrap().last_mut().unwrap() ^= 1;
    let unneeded = rotten.recover(4).unwrap();
    assert_eq!(unneeded.1.digest(), state.digest(), "a snapshot contains what rotted");
    rotten.files.retain(|name, _| !name.starts_with("snapshot."));
    assert!(matches!(rotten.recover(4), Err(LogError::Damaged { .. })));
    let mut gone = Disk { files: disk.files.clone(), ..Disk::default() };
    gone.files.retain(|name, _| !name.starts_with("snapshot.") && *name != logs[0]);
    assert!(matches!(gone.recover(4), Err(LogError::Gap { .. })));
}

#[test]
fn a_rotten_snapshot_is_survived_by_the_one_before() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(4).unwrap();
    write(&mut disk, &mut log, &mut state, 1..=30);
    let newest = named(&disk.image(), "snapshot.").pop_last().unwrap();
    disk.files.get_mut(&snapshot_name(newest)).unwrap()[20] ^= 1;
    assert_eq!(disk.recover(4).unwrap().1.digest(), state.digest());
}

#[test]
fn recovery_makes_sure_of_what_it_read_before_it_is_ready() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(100).unwrap();
    write(&mut disk, &mut log, &mut state, 1..=2);
    let image = disk.image();
    let log = Log::recover(&image, 100, &mut disk.fx).unwrap().log;
    disk.requests.clear();
    disk.play();
    assert!(!log.is_ready());
    let fsync = |request: &DiskRequest| {
        let DiskRequest::Fsync { file } = request else { return false };
        &**file == "log.1"
    };
    assert!(disk.requests.iter().any(fsync));
}
