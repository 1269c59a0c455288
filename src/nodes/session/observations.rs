//! Observations of a session: its requests, their answers, the events of watches.

use crate::history::{Observation, SessionAnswer, SessionCall, SessionObservation, WatchKind};
use crate::nodes::Effects;
use crate::wire::zookeeper::{Code, EventKind, MultiResult, Reply, Request};

/// Adds an observation to the history.
pub(super) fn observe(fx: &mut Effects, observation: SessionObservation) {
    fx.observe(Observation::Session(observation));
}

/// A request, as the history shows it.
pub(super) fn call(request: &Request) -> SessionCall {
    match request {
        Request::Exists { path, watch } => {
            SessionCall::Exists { path: path.clone(), watch: *watch }
        }
        Request::GetData { path, watch } => {
            SessionCall::GetData { path: path.clone(), watch: *watch }
        }
        Request::GetChildren { path, watch } | Request::GetChildren2 { path, watch } => {
            SessionCall::GetChildren { path: path.clone(), watch: *watch }
        }
        Request::Create(create) => SessionCall::Create { path: create.path.clone() },
        Request::SetData(set) => {
            SessionCall::SetData { path: set.path.clone(), version: set.version }
        }
        Request::Delete(delete) => SessionCall::Delete { path: delete.path.clone() },
        Request::Sync { .. } => SessionCall::Sync,
        Request::Multi(_) | Request::SetAcl { .. } => SessionCall::Write,
        _ => SessionCall::Other,
    }
}

/// An answer, as the history shows it.
pub(super) fn answer(result: &Result<Reply, Code>) -> SessionAnswer {
    let failed = |code: &Code| SessionAnswer::Failed { code: code.0 };
    match result {
        Err(code) => failed(code),
        Ok(Reply::Created { path, stat }) => {
            SessionAnswer::Created { path: path.clone(), czxid: Some(stat.czxid) }
        }
        Ok(Reply::Path(path)) => SessionAnswer::Created { path: path.clone(), czxid: None },
        Ok(Reply::Stat(stat) | Reply::Data { stat, .. }) => {
            SessionAnswer::Stat { mzxid: stat.mzxid, version: stat.version }
        }
        Ok(Reply::Multi(results)) => {
            MultiResult::failure(results).as_ref().map_or(SessionAnswer::Done, failed)
        }
        Ok(_) => SessionAnswer::Done,
    }
}

/// The event of a watch, as the history shows it.
pub(super) fn news(kind: EventKind) -> WatchKind {
    match kind {
        EventKind::Created => WatchKind::Created,
        EventKind::Deleted => WatchKind::Deleted,
        EventKind::DataChanged => WatchKind::DataChanged,
        EventKind::ChildrenChanged => WatchKind::ChildrenChanged,
    }
}
