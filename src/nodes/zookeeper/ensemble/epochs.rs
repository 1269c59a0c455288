//! The two epochs that a server must not forget: the last that it accepted from a leader (`acceptedEpoch`), and
//! the last whose history it has taken over (`currentEpoch`).
//!
//! Each is a file with a number in it, written beside, fsynced, renamed, the rename fsynced. What depends on it
//! is sent only then.

use std::collections::VecDeque;

use bytes::Bytes;
use thiserror::Error;

use crate::history::Observation;
use crate::vocab::step::{DiskImage, DiskRequest, Effects, FileName};
use crate::vocab::{DiskOpId, Rope, Zxid};

const ACCEPTED: &str = "acceptedEpoch";
const CURRENT: &str = "currentEpoch";

/// Why a server cannot start from its epochs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EpochError {
    /// A file does not hold a number.
    #[error("{0} does not hold an epoch")]
    NotANumber(&'static str),
    /// The epochs and the log contradict each other.
    #[error("accepted epoch {accepted}, current epoch {current}, last transaction {last}")]
    OutOfOrder {
        /// `acceptedEpoch`.
        accepted: u32,
        /// `currentEpoch`.
        current: u32,
        /// The last transaction of log and snapshot.
        last: Zxid,
    },
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `acceptedEpoch`.
    Accepted,
    /// `currentEpoch`.
    Current,
}

impl Which {
    fn file(self) -> &'static str {
        match self {
            Self::Accepted => ACCEPTED,
            Self::Current => CURRENT,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Content(DiskOpId),
    Name(DiskOpId),
}

/// Both epochs, as they are surely on disk.
#[derive(Debug)]
pub struct Epochs {
    accepted: u32,
    current: u32,
    wanted: VecDeque<(Which, u32)>,
    writing: Option<Writing>,
}

fn tmp(which: Which) -> FileName {
    format!("{}.tmp", which.file()).into()
}

fn read(image: &DiskImage, which: Which) -> Result<Option<u32>, EpochError> {
    let Some(content) = image.get(which.file()).map(Rope::bytes) else { return Ok(None) };
    let text = std::str::from_utf8(&content).ok();
    let number = text.and_then(|text| text.trim_end().parse().ok());
    number.map(Some).ok_or(EpochError::NotANumber(which.file()))
}

impl Epochs {
    /// Reads the epochs of a server whose last transaction is `last`. A server without them was
    /// standalone until now: the epoch is that of its log.
    ///
    /// A last transaction of a later epoch than the current one is no contradiction, as long as that epoch was
    /// accepted: the process ended after the history of a new epoch was logged, and before the epoch was. The
    /// server had not acknowledged it yet, and takes part in the next election with its current epoch.
    ///
    /// # Errors
    /// When the files hold no epochs, or such that no crash leaves behind; such a server must not vote.
    pub fn recover(image: &DiskImage, last: Zxid) -> Result<Self, EpochError> {
        let of_last = u32::try_from(last.0 >> 32).unwrap_or(0);
        let accepted = read(image, Which::Accepted)?.unwrap_or(of_last);
        let current = read(image, Which::Current)?.unwrap_or(0);
        if current > accepted || of_last > accepted {
            return Err(EpochError::OutOfOrder { accepted, current, last });
        }
        Ok(Self { accepted, current, wanted: VecDeque::new(), writing: None })
    }

    /// The last epoch that was accepted.
    pub fn accepted(&self) -> u32 {
        self.accepted
    }

    /// The last epoch whose history was taken over.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// Whether nothing is on its way to the disk.
    pub fn is_idle(&self) -> bool {
        self.writing.is_none()
    }

    /// Begins to write an epoch. [`Epochs::synced`] returns it when it is durable.
    pub fn write(&mut self, which: Which, epoch: u32, fx: &mut Effects<Observation>) {
        self.wanted.push_back((which, epoch));
        if self.writing.is_none() {
            self.begin(fx);
        }
    }

    fn begin(&mut self, fx: &mut Effects<Observation>) {
        // Every wanted epoch is written.
        let Some(&(which, epoch)) = self.wanted.front() else { return };
        let bytes = Bytes::from(epoch.to_string());
        fx.disk(DiskRequest::Write { file: tmp(which), bytes });
        self.writing = Some(Writing::Content(fx.disk(DiskRequest::Fsync { file: tmp(which) })));
    }

    /// An fsync ended; says which epoch became durable with it.
    pub fn synced(&mut self, op: DiskOpId, fx: &mut Effects<Observation>) -> Option<(Which, u32)> {
        match self.writing? {
            Writing::Content(content) if content == op => {
                let &(which, _) = self.wanted.front().expect("it is being written");
                fx.disk(DiskRequest::Rename { from: tmp(which), to: which.file().into() });
                self.writing = Some(Writing::Name(fx.disk(DiskRequest::FsyncDirectory)));
                None
            }
            Writing::Name(name) if name == op => {
                let (which, epoch) = self.wanted.pop_front().expect("it was written");
                match which {
                    Which::Accepted => self.accepted = epoch,
                    Which::Current => self.current = epoch,
                }
                self.writing = None;
                self.begin(fx);
                Some((which, epoch))
            }
            // An fsync of the log.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::step::Effect;

    fn image(files: &[(&str, &str)]) -> DiskImage {
        let piece = |text: &str| text.as_bytes().to_vec().into();
        files.iter().map(|(name, text)| ((*name).into(), piece(text))).collect()
    }

    fn fsync(fx: &mut Effects<Observation>) -> DiskOpId {
        let fsyncs = fx.drain().filter_map(|effect| match effect {
            Effect::Disk {
                op,
                request: DiskRequest::Fsync { .. } | DiskRequest::FsyncDirectory,
            } => Some(op),
            _ => None,
        });
        fsyncs.last().expect("an fsync")
    }

    #[test]
    fn an_epoch_counts_when_its_name_is_durable() {
        let mut fx = Effects::default();
        let mut epochs = Epochs::recover(&DiskImage::new(), Zxid(0)).unwrap();
        epochs.write(Which::Accepted, 4, &mut fx);
        epochs.write(Which::Current, 4, &mut fx);
        for expected in [None, Some((Which::Accepted, 4)), None, Some((Which::Current, 4))] {
            assert!(!epochs.is_idle());
            let op = fsync(&mut fx);
            assert_eq!(epochs.synced(op, &mut fx), expected);
        }
        assert_eq!((epochs.accepted(), epochs.current(), epochs.is_idle()), (4, 4, true));
    }

    #[test]
    fn epochs_that_no_crash_leaves_behind_stop_a_server() {
        let last = Zxid::new(2, 1);
        let recover = |accepted, current| {
            Epochs::recover(&image(&[(ACCEPTED, accepted), (CURRENT, current)]), last)
        };
        assert!(recover("2", "2").is_ok());
        assert!(recover("2", "1").is_ok(), "logged, but the epoch not yet written");
        assert!(recover("2", "3").is_err());
        assert!(recover("1", "1").is_err());
        assert!(recover("", "1").is_err());
        assert_eq!(Epochs::recover(&DiskImage::new(), last).unwrap().accepted(), 2);
    }
}
