//! Tests of the log against a disk that forgets what was not fsynced.

use std::collections::BTreeMap;

use super::super::txn::Record;
use super::*;
use crate::vocab::Seed;
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

    fn recover(&mut self, every: u64) -> Result<(Log, Database), LogError> {
        let image = self.image();
        let Recovered { mut log, state, .. } = Log::recover(&image, rhythm(every), &mut self.fx)?;
        self.play();
        while !log.is_ready() {
            self.done(&mut log);
        }
        Ok((log, state))
    }
}

/// Snapshots in pieces of about two znodes.
fn rhythm(snap_count: u64) -> Rhythm {
    Rhythm { snap_count, piece_bytes: 150, stream: Seed(1).stream("snapshots") }
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

/// Lets one fsync through, and what follows from it.
fn go_on(disk: &mut Disk, log: &mut Log, state: &mut Database) {
    assert!(!disk.waiting.is_empty(), "nothing becomes durable without an fsync");
    if let Synced::Durable(zxid) = disk.done(log) {
        for zxid in state.last_zxid.0 + 1..=zxid.0 {
            state.apply(&txn(zxid), &mut Changes::new());
        }
    }
    log.snapshot(state, &mut disk.fx);
    disk.play();
}

/// Lets all fsyncs through.
fn rest(disk: &mut Disk, log: &mut Log, state: &mut Database) {
    while !disk.waiting.is_empty() {
        go_on(disk, log, state);
    }
}

/// Writes `zxids` as a server does: append, fsync, apply, one after the other.
fn write(
    disk: &mut Disk,
    log: &mut Log,
    state: &mut Database,
    zxids: std::ops::RangeInclusive<i64>,
) {
    for zxid in zxids {
        log.append(Zxid(zxid), &txn(zxid).encode());
        log.flush(&mut disk.fx);
        disk.play();
        while state.last_zxid < Zxid(zxid) {
            go_on(disk, log, state);
        }
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
    rest(&mut disk, &mut log, &mut state);
    let names = disk.names();
    let count = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).count();
    assert_eq!(
        (count("snapshot."), names.len() - count("log.")),
        (RETAINED, RETAINED),
        "{names:?}"
    );
    // Less than a file for each transaction since the oldest of the snapshots, none of them empty.
    let oldest = named(&disk.image(), "snapshot.").pop_first().unwrap();
    let needed = disk.names().iter().filter(|name| name.starts_with("log.")).count() as i64;
    assert!(needed <= (200 - oldest.0) / 2 + 2, "{names:?}");
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
    rest(&mut disk, &mut log, &mut state);
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
    rest(&mut disk, &mut log, &mut state);
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
    let log = Log::recover(&image, rhythm(100), &mut disk.fx).unwrap().log;
    disk.requests.clear();
    disk.play();
    assert!(!log.is_ready());
    let fsync = |request: &DiskRequest| {
        let DiskRequest::Fsync { file } = request else { return false };
        &**file == "log.1"
    };
    assert!(disk.requests.iter().any(fsync));
}

#[test]
fn a_crash_while_a_snapshot_is_taken_costs_that_snapshot_only() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(6).unwrap();
    let mut torn = 0;
    for zxid in 1..=60 {
        write(&mut disk, &mut log, &mut state, zxid..=zxid);
        let mut crashed = Disk { files: disk.files.clone(), ..Disk::default() };
        let before = named(&disk.image(), "snapshot.");
        let (mut again, found) = crashed.recover(6).unwrap();
        assert_eq!(found, state, "after {zxid}");
        let after = named(&crashed.image(), "snapshot.");
        assert_eq!(after, again.snapshots, "what stays is whole, and counts");
        assert!(before.len() - after.len() <= 1 && log.snapshots.is_subset(&after));
        torn += before.len() - after.len();
        let mut found = found;
        write(&mut crashed, &mut again, &mut found, zxid + 1..=zxid + 20);
        assert_eq!(crashed.recover(6).unwrap().1, found);
    }
    assert!(torn > 20, "only {torn} crashes hit a snapshot");
}

#[test]
fn snapshots_that_are_not_whole_do_not_count_when_old_ones_go() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(4).unwrap();
    write(&mut disk, &mut log, &mut state, 1..=30);
    rest(&mut disk, &mut log, &mut state);
    let whole = named(&disk.image(), "snapshot.");
    assert_eq!(whole.len(), RETAINED);
    for name in &whole {
        disk.files.get_mut(&snapshot_name(*name)).unwrap().pop();
    }
    let first_whole = *whole.first().unwrap();
    disk.files.get_mut(&snapshot_name(first_whole)).unwrap().push(0);
    // The oldest ends with another byte than it had, so it is no more whole than the others.
    assert_eq!(disk.recover(4).unwrap_err(), LogError::NoSnapshot);
}

#[test]
fn a_snapshot_is_sealed_only_when_the_log_has_what_is_in_it() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(100).unwrap();
    write(&mut disk, &mut log, &mut state, 1..=3);
    rest(&mut disk, &mut log, &mut state);
    log.due = true;
    assert!(log.snapshot(&state, &mut disk.fx).is_none());
    disk.play();
    disk.done(&mut log);
    // Decided by others, and applied, before it is on this server's platter.
    log.append(Zxid(4), &txn(4).encode());
    log.flush(&mut disk.fx);
    state.apply(&txn(4), &mut Changes::new());
    disk.play();
    let logging = disk.waiting.remove(0);
    for _ in 0..20 {
        assert!(log.snapshot(&state, &mut disk.fx).is_none(), "sealed without the log");
        disk.play();
        if !disk.waiting.is_empty() {
            disk.done(&mut log);
        }
    }
    assert!(disk.waiting.is_empty(), "all its pieces are written");
    disk.waiting.push(logging);
    assert_eq!(disk.done(&mut log), Synced::Durable(Zxid(4)));
    let (snapshot, goes_on) = log.snapshot(&state, &mut disk.fx).expect("sealed");
    assert_eq!((snapshot.zxid, snapshot.contains, goes_on), (Zxid(3), Zxid(4), Zxid(1)));
}

#[test]
fn a_snapshot_whose_log_is_lost_stops_the_server() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(4).unwrap();
    write(&mut disk, &mut log, &mut state, 1..=40);
    rest(&mut disk, &mut log, &mut state);
    let image = disk.image();
    let newest = *named(&image, "snapshot.").last().unwrap();
    let read = Snapshot::read(newest, &content(&image, &snapshot_name(newest))).unwrap();
    assert!(read.contains > read.zxid, "nothing was applied meanwhile");
    disk.files.retain(|name, _| !name.starts_with("log."));
    let (contains, last) = (read.contains, newest);
    assert_eq!(disk.recover(4).unwrap_err(), LogError::Uncovered { contains, last });
}

#[test]
fn a_snapshot_alone_says_how_far_the_server_is() {
    let mut state = Database::default();
    (1..=5).for_each(|zxid| {
        state.apply(&txn(zxid), &mut Changes::new());
    });
    state.last_zxid = Zxid::new(3, 0);
    let mut disk = Disk::default();
    disk.files.insert(snapshot_name(state.last_zxid), Snapshot::of(&state).file().to_vec());
    let (_, found) = disk.recover(100).unwrap();
    assert_eq!(found, state);
}

#[test]
fn a_snapshot_that_is_given_up_leaves_nothing_and_is_taken_later() {
    let mut disk = Disk::default();
    let (mut log, mut state) = disk.recover(100).unwrap();
    write(&mut disk, &mut log, &mut state, 1..=5);
    log.due = true;
    log.snapshot(&state, &mut disk.fx);
    disk.play();
    assert!(disk.names().contains(&"snapshot.5") && !log.is_idle());
    log.abandon_snapshot(&mut disk.fx);
    disk.play();
    assert!(!disk.names().contains(&"snapshot.5") && log.is_idle());
    rest(&mut disk, &mut log, &mut state);
    write(&mut disk, &mut log, &mut state, 6..=6);
    rest(&mut disk, &mut log, &mut state);
    assert_eq!(log.snapshots.len(), 1, "{:?}", disk.names());
}

#[test]
fn a_cut_touches_no_file_but_those_that_hold_what_is_cut() {
    for to in 1..=12 {
        let mut disk = Disk::default();
        let (mut log, mut state) = disk.recover(4).unwrap();
        write(&mut disk, &mut log, &mut state, 1..=12);
        rest(&mut disk, &mut log, &mut state);
        let first_kept = log.logs.range(..=Zxid(to)).next_back().copied().unwrap();
        // As a server has it whose snapshot is of `to`: older files are in no memory.
        let since = log.logs.range(..=Zxid(to + 1)).next_back().copied().unwrap();
        let entry = |zxid| Entry { zxid: Zxid(zxid), bytes: txn(zxid).encode() };
        let history = History::new(None, (since.0..=12).map(entry).collect());
        let before = disk.files.clone();
        log.truncate(Zxid(to), &history, &mut disk.fx);
        disk.play();
        for (name, content) in before.iter().filter(|(name, _)| name.starts_with("log.")) {
            let first = i64::from_str_radix(name.strip_prefix("log.").unwrap(), 16).unwrap();
            if first > to {
                assert!(!disk.files.contains_key(name), "{to}: {name} stays");
            } else if first < first_kept.0 || since.0 > to {
                assert_eq!(&disk.files[name], content, "{to}: {name} was cut");
            }
        }
        disk.files.retain(|name, _| !name.starts_with("snapshot."));
        let from_the_start = disk.files.contains_key("log.1");
        if from_the_start {
            assert_eq!(disk.recover(4).unwrap().1.last_zxid, Zxid(to));
        }
    }
}

#[test]
fn a_leaders_snapshot_is_there_alone_before_it_counts_if_what_it_replaces_is_newer() {
    for (to, waits) in [(20, false), (12, false), (11, true), (4, true)] {
        let mut disk = Disk::default();
        let (mut log, mut state) = disk.recover(4).unwrap();
        write(&mut disk, &mut log, &mut state, 1..=12);
        rest(&mut disk, &mut log, &mut state);
        let leaders = Database { last_zxid: Zxid(to), ..Database::default() };
        log.install(&Snapshot::of(&leaders), &mut disk.fx);
        disk.play();
        assert_eq!(disk.done(&mut log), Synced::Other, "written, but without its name");
        let named = disk.done(&mut log);
        assert_eq!(named == Synced::Other, waits, "{to}");
        if waits {
            assert_eq!(disk.done(&mut log), Synced::Tidied);
        }
        assert_eq!(disk.names(), [&*snapshot_name(Zxid(to))]);
        assert_eq!(disk.recover(4).unwrap().1, leaders);
    }
}
