//! Tests of the disk.

use super::*;
use crate::vocab::Seed;

/// A disk with shorter words.
#[derive(Default)]
struct Bench {
    disk: Disk,
    ops: u64,
}

impl Bench {
    fn request(&mut self, request: DiskRequest) -> DiskOpId {
        self.ops += 1;
        let op = DiskOpId(self.ops);
        self.disk.apply(op, request);
        op
    }

    fn append(&mut self, file: &str, bytes: &[u8]) {
        self.request(DiskRequest::Append { file: file.into(), bytes: bytes.to_vec().into() });
    }

    fn write(&mut self, file: &str, bytes: &[u8]) {
        self.request(DiskRequest::Write { file: file.into(), bytes: bytes.to_vec().into() });
    }

    fn truncate(&mut self, file: &str, len: u64) {
        self.request(DiskRequest::Truncate { file: file.into(), len });
    }

    fn rename(&mut self, from: &str, to: &str) {
        self.request(DiskRequest::Rename { from: from.into(), to: to.into() });
    }

    fn delete(&mut self, file: &str) {
        self.request(DiskRequest::Delete { file: file.into() });
    }

    fn submit(&mut self, file: &str) -> DiskOpId {
        self.request(DiskRequest::Fsync { file: file.into() })
    }

    fn fsync(&mut self, file: &str) {
        let op = self.submit(file);
        self.disk.complete(op);
    }

    fn fsync_directory(&mut self) {
        let op = self.request(DiskRequest::FsyncDirectory);
        self.disk.complete(op);
    }

    fn power_loss(&mut self, seed: u64) {
        self.disk.power_loss(&mut Seed(seed).stream("disk/test"));
    }

    fn read(&self, file: &str) -> Option<Vec<u8>> {
        self.disk.image().get(file).map(|content| content.flatten(0))
    }
}

/// What `lose` leaves under `file`, for many seeds, each content once.
fn outcomes(file: &str, prepare: impl Fn(&mut Bench)) -> Vec<Option<Vec<u8>>> {
    let mut seen = Vec::new();
    for seed in 0..60 {
        let mut bench = Bench::default();
        prepare(&mut bench);
        bench.power_loss(seed);
        let content = bench.read(file);
        if !seen.contains(&content) {
            seen.push(content);
        }
    }
    seen.sort();
    seen
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

#[test]
fn the_page_cache_shows_every_write_at_once() {
    let mut bench = Bench::default();
    bench.append("log", b"abc");
    bench.append("log", b"def");
    bench.truncate("log", 4);
    bench.truncate("log", 400);
    bench.write("checkpoint", b"old");
    bench.write("checkpoint", b"new");
    bench.rename("checkpoint", "final");
    bench.append("gone", b"x");
    bench.delete("gone");
    assert_eq!(bench.read("log").unwrap(), b"abcd");
    assert_eq!(bench.read("final").unwrap(), b"new");
    assert_eq!(bench.disk.image().len(), 2);
    assert_eq!(bench.disk.file_len("log"), Some(4));
}

#[test]
fn what_concerns_a_missing_file_does_nothing_and_its_fsync_ends() {
    let mut bench = Bench::default();
    bench.truncate("a", 0);
    bench.rename("a", "b");
    bench.delete("a");
    bench.fsync("a");
    assert!(bench.disk.image().is_empty());
    assert!(bench.disk.syncs.is_empty());
}

#[test]
fn what_was_fsynced_survives_every_power_loss() {
    let kept = outcomes("log", |bench| {
        bench.append("log", &[1; 700]);
        bench.fsync("log");
    });
    assert_eq!(kept, [Some(vec![1; 700])]);
}

#[test]
fn a_file_that_was_never_fsynced_survives_or_not_by_seed() {
    let kept = outcomes("log", |bench| bench.append("log", b"abc"));
    assert_eq!(kept, [None, Some(vec![]), Some(b"abc".to_vec())]);
}

#[test]
fn torn_sectors_differ_by_seed_and_are_new_or_empty_or_all_are_old() {
    let (old, new) = ([1u8; 2_048], [2u8; 4_096]);
    let kept = outcomes("log", |bench| {
        bench.append("log", &old);
        bench.fsync("log");
        bench.write("log", &new);
    });
    assert!(kept.len() > 10, "{} outcomes", kept.len());
    assert!(kept.contains(&Some(old.to_vec())));
    let mut holes = 0;
    for content in kept.into_iter().flatten().filter(|content| *content != old) {
        assert!(content.len() <= new.len());
        for (index, sector) in content.chunks(512).enumerate() {
            let value = sector[0];
            assert!(sector.iter().all(|&byte| byte == value), "a sector is never torn");
            assert!([0, 2].contains(&value), "sector {index} holds {value}");
            holes += usize::from(value == 0);
        }
    }
    assert!(holes > 0, "some seed must leave a hole");
}

#[test]
fn an_unsynced_tail_never_touches_what_lies_before_it() {
    let kept = outcomes("log", |bench| {
        bench.append("log", &[1; 700]);
        bench.fsync("log");
        bench.append("log", &[2; 900]);
    });
    assert!(kept.len() > 3);
    for content in kept.into_iter().flatten() {
        assert!(content.len() >= 700);
        assert!(content[..700].iter().all(|&byte| byte == 1));
        assert!(content[700..].iter().all(|&byte| byte != 1));
    }
}

#[test]
fn a_cut_that_was_not_fsynced_is_kept_or_lost() {
    let kept = outcomes("log", |bench| {
        bench.append("log", &[1; 1_024]);
        bench.fsync("log");
        bench.truncate("log", 512);
    });
    assert_eq!(kept, [Some(vec![1; 512]), Some(vec![1; 1_024])]);
}

#[test]
fn a_lost_cut_takes_what_was_appended_since_with_it() {
    let kept = outcomes("log", |bench| {
        bench.append("log", &[1; 1_024]);
        bench.fsync("log");
        bench.truncate("log", 512);
        bench.append("log", &[2; 512]);
        bench.truncate("log", 256);
        bench.append("log", &[3; 256]);
    });
    let first = [[1; 512], [2; 512]].concat();
    let second = [[1; 256], [3; 256]].concat();
    let contents = [vec![1; 256], vec![1; 512], vec![1; 1_024], first, second].map(Some).to_vec();
    assert_eq!(kept, sorted(contents));
}

#[test]
fn a_cut_is_there_with_what_was_renamed_or_fsynced_after_it() {
    let kept = |fsync: bool| {
        outcomes("log", |bench| {
            bench.append("log", &[1; 1_024]);
            bench.fsync("log");
            bench.truncate("log", 512);
            bench.append("tmp", b"epochs");
            bench.fsync("tmp");
            bench.rename("tmp", "checkpoint");
            if fsync {
                bench.append("log", &[2; 512]);
                bench.fsync("log");
            }
        })
    };
    assert_eq!(kept(false), [Some(vec![1; 512])], "it stands before the creation of the other");
    assert_eq!(kept(true), [Some([[1; 512], [2; 512]].concat())]);
}

#[test]
fn an_fsync_keeps_the_content_as_of_its_submission() {
    let mut bench = Bench::default();
    bench.append("log", b"abc");
    let first = bench.submit("log");
    bench.truncate("log", 1);
    bench.append("log", b"XYZ");
    let second = bench.submit("log");
    bench.write("log", b"later");
    assert!(bench.disk.platter("log").is_none(), "nothing is there before the fsync ends");
    bench.disk.complete(first);
    assert_eq!(bench.disk.platter("log").unwrap().flatten(0), b"abc");
    bench.disk.complete(second);
    assert_eq!(bench.disk.platter("log").unwrap().flatten(0), b"aXYZ");
    assert_eq!(bench.read("log").unwrap(), b"later");
    bench.fsync("log");
    assert_eq!(bench.disk.platter("log").unwrap().flatten(0), b"later");
}

#[test]
fn an_fsync_that_power_loss_cut_short_never_ends() {
    let mut bench = Bench::default();
    bench.append("log", b"abc");
    bench.fsync("log");
    bench.append("log", b"def");
    let op = bench.submit("log");
    bench.power_loss(0);
    let left = bench.read("log").unwrap();
    bench.disk.complete(op);
    assert_eq!(bench.disk.platter("log").unwrap().flatten(0), left);
    assert!(left == b"abc" || left == b"abcdef", "{left:?}");
}

#[test]
fn a_lost_rename_leaves_the_fsynced_content_under_the_old_name() {
    let swap = |bench: &mut Bench| {
        bench.append("final", b"old");
        bench.fsync("final");
        bench.append("tmp", b"new");
        bench.fsync("tmp");
        bench.rename("tmp", "final");
    };
    assert_eq!(outcomes("final", swap), [Some(b"new".to_vec()), Some(b"old".to_vec())]);
    assert_eq!(outcomes("tmp", swap), [None, Some(b"new".to_vec())]);
    let durable = |bench: &mut Bench| {
        swap(bench);
        bench.fsync_directory();
    };
    assert_eq!(outcomes("final", durable), [Some(b"new".to_vec())]);
    assert_eq!(outcomes("tmp", durable), [None]);
}

#[test]
fn a_delete_is_durable_with_the_directory() {
    let delete = |bench: &mut Bench| {
        bench.append("log", b"abc");
        bench.fsync("log");
        bench.delete("log");
    };
    assert_eq!(outcomes("log", delete), [None, Some(b"abc".to_vec())]);
    let durable = |bench: &mut Bench| {
        delete(bench);
        bench.fsync_directory();
    };
    assert_eq!(outcomes("log", durable), [None]);
}

#[test]
fn the_name_of_a_deleted_file_can_be_used_again() {
    let kept = outcomes("log", |bench| {
        bench.append("log", b"old");
        bench.fsync("log");
        bench.delete("log");
        bench.append("log", b"new");
        bench.fsync("log");
    });
    assert_eq!(kept, [Some(b"new".to_vec())], "the fsync commits the journal before it");
}

#[test]
fn names_reach_the_platter_in_order() {
    for seed in 0..40 {
        let mut bench = Bench::default();
        bench.append("a", b"a");
        bench.append("b", b"b");
        bench.append("c", b"c");
        bench.power_loss(seed);
        let (a, b, c) = (bench.read("a"), bench.read("b"), bench.read("c"));
        assert!(a.is_some() || b.is_none(), "seed {seed}");
        assert!(b.is_some() || c.is_none(), "seed {seed}");
    }
}

#[test]
fn files_that_nothing_points_to_are_forgotten() {
    let mut bench = Bench::default();
    for round in 0..100 {
        bench.append("tmp", &[round]);
        let pending = bench.submit("tmp");
        bench.rename("tmp", "checkpoint");
        bench.disk.complete(pending);
        bench.append("other", &[round]);
        bench.delete("other");
        bench.fsync_directory();
        assert_eq!(bench.disk.inode_count(), 1);
    }
    bench.delete("checkpoint");
    assert_eq!(bench.disk.inode_count(), 1, "the platter still knows it");
    bench.fsync_directory();
    assert_eq!(bench.disk.inode_count(), 0);
}

#[test]
fn the_platter_and_the_image_share_the_memory_of_the_cache() {
    let bytes = Bytes::from(vec![7; 100]);
    let mut bench = Bench::default();
    bench.request(DiskRequest::Append { file: "log".into(), bytes: bytes.clone().into() });
    bench.fsync("log");
    assert_eq!(bench.disk.platter("log").unwrap().bytes().as_ptr(), bytes.as_ptr());
    assert_eq!(bench.disk.image()["log"].bytes().as_ptr(), bytes.as_ptr());
}

#[test]
fn what_rests_on_a_page_is_cut_synced_and_torn_as_any_other() {
    let content: Vec<u8> = (0..3 * PAGE_BYTES).map(|at| (at / 100) as u8).collect();
    let pages = Pages::default();
    let write = |bench: &mut Bench, from: usize, rest: bool| {
        for page_content in content[from..].chunks(PAGE_BYTES) {
            let page = pages.page();
            for bytes in page_content.chunks(700) {
                let bytes = page.push(Bytes::copy_from_slice(bytes));
                bench.request(DiskRequest::Append { file: "log".into(), bytes });
            }
            if rest {
                page.rest();
            }
        }
    };
    let left = |rest| {
        outcomes("log", |bench| {
            write(bench, 0, rest);
            bench.truncate("log", 20_000);
            bench.fsync("log");
            write(bench, 20_000, rest);
            assert_eq!(bench.read("log").unwrap(), content);
        })
    };
    let kept = left(true);
    assert!(kept.len() > 20, "{} outcomes", kept.len());
    assert!(kept.iter().flatten().all(|kept| kept[..20_000] == content[..20_000]));
    assert_eq!(kept, left(false));
}
