//! What a read from ZooKeeper shows, compared with the transactions.

use crate::model::znodes::{Known, Znodes};
use crate::vocab::Zxid;

/// ZooKeeper's error code `NoNode`.
pub const NO_NODE: i32 = -101;

/// How a read compares with the transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// It shows what they wrote, or what they wrote is not known.
    AsWritten,
    /// It shows an mzxid at which no transaction wrote the znode.
    NeverWritten(Zxid),
    /// They wrote this mzxid and version; `None` when there was no znode.
    Instead(Option<(Zxid, i32)>),
}

/// Compares a read of `path` as of `zxid`; it shows an mzxid and a version, or no znode.
pub fn read(znodes: &Znodes, path: &str, zxid: Zxid, shown: Option<(Zxid, i32)>) -> Read {
    let is = match znodes.at(path, zxid) {
        Known::There(mzxid, version) => Some((mzxid, version)),
        Known::Gone => None,
        Known::Nothing => {
            let Some((mzxid, _)) = shown else { return Read::AsWritten };
            // It may have been written before the first transaction that was reported, or in one that was not.
            let is_forgotten = znodes.is_quiet(Zxid(0), zxid)
                || mzxid <= Zxid(0)
                || !znodes.remembers(path, Zxid(0));
            return if is_forgotten { Read::AsWritten } else { Read::NeverWritten(mzxid) };
        }
    };
    if is == shown { Read::AsWritten } else { Read::Instead(is) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::ZooKeeperObservation;

    #[test]
    fn a_read_is_compared_with_the_last_write_up_to_its_zxid() {
        let mut znodes = Znodes::default();
        for (zxid, version) in [(1, 0), (3, 1)] {
            let (zxid, path, data) = (Zxid(zxid), "/a".into(), "".into());
            znodes.zookeeper(&ZooKeeperObservation::Stored { zxid, path, version, data });
        }
        let at = |zxid, shown| read(&znodes, "/a", Zxid(zxid), shown);
        assert_eq!(at(2, Some((Zxid(1), 0))), Read::AsWritten);
        assert_eq!(at(3, Some((Zxid(1), 0))), Read::Instead(Some((Zxid(3), 1))));
        assert_eq!(at(3, None), Read::Instead(Some((Zxid(3), 1))));
        let never = read(&znodes, "/b", Zxid(3), Some((Zxid(2), 0)));
        assert_eq!(never, Read::NeverWritten(Zxid(2)));
    }
}
