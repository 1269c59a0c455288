//! The controller's requests to ZooKeeper, and their answers.
//!
//! Fencing is here, in one place: since 2.1 every create, set and delete of a controller is a multi
//! whose first operation checks the version of `/controller_epoch` (KAFKA-6082), so that a controller which
//! was replaced without noticing changes nothing. Before, its writes went through.

use std::sync::Arc;

use bytes::Bytes;

use crate::nodes::broker::znodes::paths;
use crate::wire::zookeeper::{
    Code, Create, Delete, MultiOp, MultiResult, Reply, Request, SetData, Stat, VersionCheck,
};

/// One request to ZooKeeper.
#[derive(Clone, Debug)]
pub struct Call {
    op: Op,
    fenced: bool,
}

#[derive(Clone, Debug)]
enum Op {
    Read(Request),
    Write(MultiOp),
    /// All or none; never fenced, as it writes what the fence checks.
    Multi(Vec<MultiOp>),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A znode's children.
    Children(Vec<Arc<str>>),
    /// A znode's data.
    Data {
        /// The data; null reads as empty.
        data: Bytes,
        /// With the version, and when it was created.
        stat: Stat,
    },
    /// It exists, or was set.
    Stat(Stat),
    /// It was created or deleted.
    Done,
    /// The fence failed: another controller was elected.
    Moved,
    /// Refused.
    Failed(Code),
}

impl Call {
    /// The children of a znode.
    pub fn children(path: impl Into<Arc<str>>, watch: bool) -> Self {
        Self { op: Op::Read(Request::GetChildren { path: path.into(), watch }), fenced: false }
    }

    /// The data of a znode.
    pub fn get(path: impl Into<Arc<str>>, watch: bool) -> Self {
        Self { op: Op::Read(Request::GetData { path: path.into(), watch }), fenced: false }
    }

    /// Whether there is a znode; the watch reports its creation, too.
    pub fn exists(path: impl Into<Arc<str>>, watch: bool) -> Self {
        Self { op: Op::Read(Request::Exists { path: path.into(), watch }), fenced: false }
    }

    /// A new persistent znode.
    pub fn create(path: impl Into<Arc<str>>, data: Option<Bytes>) -> Self {
        let op = Op::Write(MultiOp::Create(Create::persistent(path, data)));
        Self { op, fenced: true }
    }

    /// New data for a znode, if its version is `version` (−1: whatever it is).
    pub fn set(path: impl Into<Arc<str>>, data: Bytes, version: i32) -> Self {
        let set = SetData { path: path.into(), data: Some(data), version };
        Self { op: Op::Write(MultiOp::SetData(set)), fenced: true }
    }

    /// The end of a znode, whatever its version.
    pub fn delete(path: impl Into<Arc<str>>) -> Self {
        let delete = Delete { path: path.into(), version: -1 };
        Self { op: Op::Write(MultiOp::Delete(delete)), fenced: true }
    }

    /// A new ephemeral znode; never fenced.
    pub fn ephemeral(path: impl Into<Arc<str>>, data: Bytes) -> Self {
        let op = Op::Write(MultiOp::Create(Create::ephemeral(path, Some(data))));
        Self { op, fenced: false }
    }

    /// Becomes the controller and counts the election, or neither (2.1+).
    pub fn elect(controller: Bytes, epoch: Bytes, epoch_version: i32) -> Self {
        let path: Arc<str> = paths::CONTROLLER_EPOCH.into();
        let op = Op::Multi(vec![
            MultiOp::Create(Create::ephemeral(paths::CONTROLLER, Some(controller))),
            MultiOp::SetData(SetData { path, data: Some(epoch), version: epoch_version }),
        ]);
        Self { op, fenced: false }
    }

    /// The same, but written even when this broker is no longer the controller.
    #[must_use]
    pub fn unfenced(self) -> Self {
        Self { fenced: false, ..self }
    }

    /// As it goes out, when `/controller_epoch` has to be of version `fence`.
    pub fn request(&self, fence: Option<i32>) -> Request {
        match (&self.op, fence) {
            (Op::Read(request), _) => request.clone(),
            (Op::Multi(ops), _) => Request::Multi(ops.clone()),
            (Op::Write(op), Some(version)) if self.fenced => {
                let check = VersionCheck { path: paths::CONTROLLER_EPOCH.into(), version };
                Request::Multi(vec![MultiOp::Check(check), op.clone()])
            }
            (Op::Write(MultiOp::Create(create)), _) => Request::Create(create.clone()),
            (Op::Write(MultiOp::Delete(delete)), _) => Request::Delete(delete.clone()),
            (Op::Write(MultiOp::SetData(set)), _) => Request::SetData(set.clone()),
            (Op::Write(op @ MultiOp::Check(_)), _) => Request::Multi(vec![op.clone()]),
        }
    }

    /// Reads the answer to this call.
    pub fn answer(&self, result: Result<Reply, Code>) -> Answer {
        match result {
            Err(code) => Answer::Failed(code),
            Ok(Reply::Children(names)) => Answer::Children(names),
            Ok(Reply::Data { data, stat }) => Answer::Data { data: data.unwrap_or_default(), stat },
            Ok(Reply::Stat(stat)) => Answer::Stat(stat),
            Ok(Reply::Multi(results)) => self.multi_answer(&results),
            Ok(_) => Answer::Done,
        }
    }

    fn multi_answer(&self, results: &[MultiResult]) -> Answer {
        let failed = |result: Option<&MultiResult>| match result {
            Some(MultiResult::Error(code)) => {
                ![Code::OK, Code::RUNTIME_INCONSISTENCY].contains(code)
            }
            _ => false,
        };
        let is_fenced_write = self.fenced && matches!(self.op, Op::Write(_));
        if is_fenced_write && failed(results.first()) {
            return Answer::Moved;
        }
        if let Some(code) = MultiResult::failure(results) {
            return Answer::Failed(code);
        }
        match results.last() {
            Some(MultiResult::SetData(stat)) => Answer::Stat(*stat),
            _ => Answer::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_fenced_since_2_1_and_reads_never() {
        let set = Call::set("/a", Bytes::from_static(b"x"), 3);
        let Request::Multi(ops) = set.request(Some(7)) else { panic!("not fenced") };
        let [MultiOp::Check(check), MultiOp::SetData(inner)] = &ops[..] else { panic!("{ops:?}") };
        assert_eq!((&*check.path, check.version), ("/controller_epoch", 7));
        assert_eq!((&*inner.path, inner.version), ("/a", 3));
        assert!(matches!(set.request(None), Request::SetData(_)));
        assert!(matches!(set.unfenced().request(Some(7)), Request::SetData(_)));
        assert!(matches!(Call::get("/a", true).request(Some(7)), Request::GetData { .. }));
    }

    #[test]
    fn only_a_failed_check_means_that_the_controller_moved() {
        let set = Call::set("/a", Bytes::new(), 3);
        let failed = |first, second| {
            set.answer(Ok(Reply::Multi(vec![
                MultiResult::Error(first),
                MultiResult::Error(second),
            ])))
        };
        assert_eq!(failed(Code::BAD_VERSION, Code::RUNTIME_INCONSISTENCY), Answer::Moved);
        assert_eq!(failed(Code::OK, Code::BAD_VERSION), Answer::Failed(Code::BAD_VERSION));
        let stat = Stat { version: 4, ..Stat::default() };
        let done = Reply::Multi(vec![MultiResult::Check, MultiResult::SetData(stat)]);
        assert_eq!(set.answer(Ok(done)), Answer::Stat(stat));
    }

    #[test]
    fn a_lost_election_is_known_by_its_code() {
        let elect = Call::elect(Bytes::new(), Bytes::new(), 0);
        let lost = vec![
            MultiResult::Error(Code::NODE_EXISTS),
            MultiResult::Error(Code::RUNTIME_INCONSISTENCY),
        ];
        assert_eq!(elect.answer(Ok(Reply::Multi(lost))), Answer::Failed(Code::NODE_EXISTS));
    }
}
