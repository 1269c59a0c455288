//! The history of an ensemble's transactions, as its servers report it.
//!
//! Counters of an epoch have no gaps, and each epoch begins with the history that its leader was elected with. So
//! the place where each epoch began says of every transaction which one is before it, and whether it belongs to a
//! history.

use std::collections::BTreeMap;

use crate::vocab::Zxid;

/// The epoch of a zxid.
pub fn epoch(zxid: Zxid) -> u32 {
    (zxid.0 >> 32) as u32
}

/// With which transaction the history ends that each epoch began with.
#[derive(Clone, Debug, Default)]
pub struct Epochs {
    starts: BTreeMap<u32, Zxid>,
}

impl Epochs {
    /// An epoch begins, with a history that ends with `last`.
    pub fn begins(&mut self, epoch: u32, last: Zxid) {
        self.starts.entry(epoch).or_insert(last);
    }

    /// The end of the history that the newest epoch began with.
    pub fn newest(&self) -> Option<Zxid> {
        self.starts.last_key_value().map(|(_, last)| *last)
    }

    /// The transaction that a zxid means: the beginning of an epoch is the end of what was before.
    pub fn transaction(&self, mut zxid: Zxid) -> Zxid {
        while zxid.0 & 0xffff_ffff == 0
            && let Some(start) = self.starts.get(&epoch(zxid))
            && *start < zxid
        {
            zxid = *start;
        }
        zxid
    }

    /// The transaction before `zxid`.
    pub fn before(&self, zxid: Zxid) -> Zxid {
        self.transaction(Zxid(zxid.0 - 1))
    }

    /// Whether `zxid` is in the history that ends with `last`.
    pub fn contains(&self, last: Zxid, zxid: Zxid) -> bool {
        let mut last = self.transaction(last);
        while epoch(last) > epoch(zxid) {
            let before = self.transaction(Zxid::new(epoch(last), 0));
            if before >= last {
                return false;
            }
            last = before;
        }
        epoch(last) == epoch(zxid) && last >= zxid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_goes_back_from_epoch_to_epoch() {
        let mut epochs = Epochs::default();
        let at = Zxid::new;
        epochs.begins(1, Zxid(0));
        epochs.begins(2, at(1, 5));
        epochs.begins(3, at(2, 0));
        epochs.begins(4, at(1, 5));
        assert_eq!(epochs.transaction(at(3, 0)), at(1, 5));
        assert_eq!(epochs.before(at(3, 1)), at(1, 5));
        assert_eq!(epochs.before(at(3, 2)), at(3, 1));
        assert!(epochs.contains(at(3, 7), at(1, 5)) && !epochs.contains(at(3, 7), at(1, 6)));
        assert!(!epochs.contains(at(4, 1), at(3, 1)), "epoch 4 knew nothing of epoch 3");
    }
}
