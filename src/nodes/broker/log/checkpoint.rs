//! Offset checkpoints (`replication-offset-checkpoint` and two others), and files that are replaced as a whole.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::checkpoint_lines::{CheckpointError, read_lines};
use crate::nodes::Effects;
use crate::vocab::step::{DiskImage, DiskRequest, FileName};
use crate::vocab::{DiskOpId, Offset, TopicPartition};

/// High watermarks.
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// Recovery points.
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// Log start offsets.
pub const LOG_STARTS: &str = "log-start-offset-checkpoint";

/// The text of an offset checkpoint.
pub fn offsets_to_text(offsets: &BTreeMap<TopicPartition, Offset>) -> String {
    let mut text = format!("0\n{}\n", offsets.len());
    for (at, offset) in offsets {
        text.push_str(&format!("{} {} {offset}\n", at.topic, at.partition));
    }
    text
}

/// Reads the text of an offset checkpoint.
///
/// # Errors
/// When it is malformed.
pub fn offsets_from_text(text: &str) -> Result<BTreeMap<TopicPartition, Offset>, CheckpointError> {
    let mut offsets = BTreeMap::new();
    read_lines(text, |line, fields| {
        let error = CheckpointError { line };
        let [topic, partition, offset] = fields else { return Err(error) };
        let partition = partition.parse().map_err(|_| error.clone())?;
        let offset = offset.parse().map_err(|_| error)?;
        offsets.insert(TopicPartition::new(*topic, partition), offset);
        Ok(())
    })?;
    Ok(offsets)
}

/// A whole file of a disk image as text; `None` when it is absent or no text.
pub fn text_of(image: &DiskImage, file: &str) -> Option<String> {
    String::from_utf8(image.get(file)?.flatten(0)).ok()
}

#[derive(Debug)]
struct Replacing {
    fsync: DiskOpId,
    /// What was asked for in the meantime.
    next: Option<Bytes>,
}

/// Replaces files as a whole so that a power loss leaves the old content or the new: write beside, fsync,
/// and only then rename and fsync the directory. One write per file is in flight at a time.
#[derive(Debug, Default)]
pub struct AtomicFiles {
    under_way: BTreeMap<FileName, Replacing>,
    by_op: BTreeMap<DiskOpId, FileName>,
}

fn temporary(file: &FileName) -> FileName {
    format!("{file}.tmp").into()
}

impl AtomicFiles {
    fn start(&mut self, effects: &mut Effects, file: &FileName, bytes: Bytes) -> DiskOpId {
        let tmp = temporary(file);
        effects.disk(DiskRequest::Write { file: tmp.clone(), bytes });
        let fsync = effects.disk(DiskRequest::Fsync { file: tmp });
        self.by_op.insert(fsync, file.clone());
        fsync
    }

    /// Replaces the content of `file`.
    pub fn write(&mut self, effects: &mut Effects, file: &FileName, bytes: Bytes) {
        if let Some(replacing) = self.under_way.get_mut(file) {
            replacing.next = Some(bytes);
            return;
        }
        let fsync = self.start(effects, file, bytes);
        self.under_way.insert(file.clone(), Replacing { fsync, next: None });
    }

    /// An fsync ended. Returns whether it was one of these.
    pub fn on_disk_done(&mut self, effects: &mut Effects, op: DiskOpId) -> bool {
        let Some(file) = self.by_op.remove(&op) else { return false };
        let replacing = self.under_way.remove(&file).filter(|replacing| replacing.fsync == op);
        // The file was given up, and is written again by another operation.
        let Some(replacing) = replacing else { return true };
        effects.disk(DiskRequest::Rename { from: temporary(&file), to: file.clone() });
        effects.disk(DiskRequest::FsyncDirectory);
        if let Some(next) = replacing.next {
            self.write(effects, &file, next);
        }
        true
    }

    /// Gives up the write in flight of `file`, which is to be deleted.
    pub fn forget(&mut self, effects: &mut Effects, file: &FileName) {
        if let Some(replacing) = self.under_way.remove(file) {
            self.by_op.remove(&replacing.fsync);
            effects.disk(DiskRequest::Delete { file: temporary(file) });
        }
    }

    /// Whether `file` is being replaced.
    pub fn is_writing(&self, file: &str) -> bool {
        self.under_way.contains_key(file)
    }

    /// Whether no write is in flight.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::step::Effect;

    #[test]
    fn offsets_survive_the_round_trip_in_the_published_form() {
        let offsets = BTreeMap::from([
            (TopicPartition::new("orders", 0), 412),
            (TopicPartition::new("orders", 10), 7),
        ]);
        let text = offsets_to_text(&offsets);
        assert_eq!(text, "0\n2\norders 0 412\norders 10 7\n");
        assert_eq!(offsets_from_text(&text), Ok(offsets));
        assert_eq!(offsets_from_text("0\n1\norders 0\n"), Err(CheckpointError { line: 3 }));
    }

    #[test]
    fn a_file_is_renamed_only_when_its_content_is_on_the_platter() {
        let mut effects = Effects::default();
        let mut files = AtomicFiles::default();
        let file: FileName = "f".into();
        files.write(&mut effects, &file, Bytes::from_static(b"1"));
        files.write(&mut effects, &file, Bytes::from_static(b"2"));
        files.write(&mut effects, &file, Bytes::from_static(b"3"));
        for round in 0..2 {
            let ops: Vec<_> = effects.drain().collect();
            assert!(
                !ops.iter().any(|effect| {
                    matches!(effect, Effect::Disk { request: DiskRequest::Rename { .. }, .. })
                }) || round == 1
            );
            let fsync = ops.iter().find_map(|effect| match effect {
                Effect::Disk { op, request: DiskRequest::Fsync { .. } } => Some(*op),
                _ => None,
            });
            assert!(files.on_disk_done(&mut effects, fsync.expect("it is fsynced")));
        }
        assert!(files.is_idle(), "the second content was never written, the third was");
        assert!(!files.on_disk_done(&mut effects, DiskOpId(999)));
    }
}
