//! The broker's side of [`AdminWork`](super::admin_work::AdminWork): requests out, answers in.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::admin_work::{Answer, Then};
use super::broker::Broker;
use super::zk_requests::Op;
use crate::nodes::broker::context::Context;
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::Change;
use crate::wire::zookeeper::{Code, Create, Request, SetData, create_flags};

/// What goes on when something is written, or could not be.
pub type Done = Box<dyn FnOnce(&mut Broker, &mut Context<'_>, Result<(), Code>) + Send>;

/// Requests that are sent together.
const TOGETHER: usize = 1_000;

/// Reads a znode.
pub fn get(path: impl Into<Arc<str>>) -> Request {
    Request::GetData { path: path.into(), watch: false }
}

/// Writes a znode, whatever its version.
pub fn set(path: impl Into<Arc<str>>, data: Bytes) -> Request {
    Request::SetData(SetData { path: path.into(), data: Some(data), version: -1 })
}

/// Whether a znode is there.
pub fn exists(path: impl Into<Arc<str>>) -> Request {
    Request::Exists { path: path.into(), watch: false }
}

/// The children of a znode.
pub fn children(path: impl Into<Arc<str>>) -> Request {
    Request::GetChildren { path: path.into(), watch: false }
}

impl Broker {
    /// Asks ZooKeeper, and goes on with all answers; at once if there is nothing to ask.
    pub(super) fn ask_zookeeper(
        &mut self,
        cx: &mut Context<'_>,
        requests: Vec<Request>,
        then: impl FnOnce(&mut Self, &mut Context<'_>, Vec<Answer>) + Send + 'static,
    ) {
        if requests.is_empty() {
            return then(self, cx, Vec::new());
        }
        if requests.len() > TOGETHER {
            return self.ask_in_parts(cx, requests.into(), Vec::new(), Box::new(then));
        }
        let number = self.admin.wait(requests.len(), Box::new(then));
        for (index, request) in requests.into_iter().enumerate() {
            self.zk.ask(cx, Op::Admin { number, index, request });
        }
    }

    /// Asks for more than fits into a socket at once, part by part. A real broker asks for one after the other.
    fn ask_in_parts(
        &mut self,
        cx: &mut Context<'_>,
        mut left: VecDeque<Request>,
        mut answers: Vec<Answer>,
        then: Then<Self>,
    ) {
        let part = left.drain(..TOGETHER.min(left.len())).collect();
        self.ask_zookeeper(cx, part, move |this, cx, more| {
            answers.extend(more);
            match left.is_empty() {
                true => then(this, cx, answers),
                false => this.ask_in_parts(cx, left, answers, then),
            }
        });
    }

    /// Asks ZooKeeper one thing.
    pub(super) fn ask_zookeeper_once(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        then: impl FnOnce(&mut Self, &mut Context<'_>, Answer) + Send + 'static,
    ) {
        self.ask_zookeeper(cx, vec![request], |this, cx, answers| {
            let answer = answers.into_iter().next().unwrap_or(Err(Code::SYSTEM_ERROR));
            then(this, cx, answer);
        });
    }

    /// ZooKeeper answered a request of some work.
    pub(super) fn admin_answered(
        &mut self,
        cx: &mut Context<'_>,
        (number, index): (u64, usize),
        answer: Answer,
    ) {
        if let Some((then, answers)) = self.admin.answered(number, index, answer) {
            then(self, cx, answers);
        }
    }

    /// Writes the settings of an entity, like `topics/orders`, and notifies all brokers of it: a write, a create where
    /// there are none, and a sequential znode (`AdminZkClient.changeEntityConfig`). The outcome is ZooKeeper's code, if
    /// one of them failed.
    pub(super) fn write_entity_config(
        &mut self,
        cx: &mut Context<'_>,
        entity: &str,
        data: Bytes,
        then: impl FnOnce(&mut Self, &mut Context<'_>, Result<(), Code>) + Send + 'static,
    ) {
        let then: Done = Box::new(then);
        let path: Arc<str> = paths::entity_config(entity).into();
        let entity: Arc<str> = entity.into();
        let write = set(path.clone(), data.clone());
        self.ask_zookeeper_once(cx, write, move |this, cx, answer| match answer {
            Err(Code::NO_NODE) => {
                let notify: Done = Box::new(move |this, cx, created| match created {
                    Ok(()) => this.notify_of_config(cx, &entity, then),
                    Err(code) => then(this, cx, Err(code)),
                });
                this.create_path(cx, path, Some(data), notify);
            }
            Err(code) => then(this, cx, Err(code)),
            Ok(_) => this.notify_of_config(cx, &entity, then),
        });
    }

    /// Creates a znode, and its parents where they are missing, from the lowest up until one is there
    /// (`KafkaZkClient.createRecursive`).
    pub(super) fn create_path(
        &mut self,
        cx: &mut Context<'_>,
        path: Arc<str>,
        data: Option<Bytes>,
        then: Done,
    ) {
        let create = Request::Create(Create::persistent(path.clone(), data.clone()));
        self.ask_zookeeper_once(cx, create, move |this, cx, answer| {
            let parent = path.rsplit_once('/').map(|(parent, _)| Arc::<str>::from(parent));
            match (answer, parent.filter(|parent| !parent.is_empty())) {
                (Err(Code::NO_NODE), Some(parent)) => {
                    let again: Done = Box::new(move |this, cx, made| match made {
                        Ok(()) | Err(Code::NODE_EXISTS) => {
                            let create = Request::Create(Create::persistent(path, data));
                            this.ask_zookeeper_once(cx, create, |this, cx, answer| {
                                then(this, cx, answer.map(drop));
                            });
                        }
                        Err(code) => then(this, cx, Err(code)),
                    });
                    this.create_path(cx, parent, None, again);
                }
                (answer, _) => then(this, cx, answer.map(drop)),
            }
        });
    }

    fn notify_of_config(&mut self, cx: &mut Context<'_>, entity: &str, then: Done) {
        let data = payload::encode_config_change(entity);
        let flags = create_flags::PERSISTENT_SEQUENTIAL;
        let notify = Create::new(paths::CONFIG_CHANGE_PREFIX, Some(data), flags);
        let mut creates = vec![Request::Create(notify)];
        if self.config.version.has(Change::ConfigChangesEnsured) {
            let parent = Create::persistent(paths::CONFIG_CHANGES, None);
            creates.insert(0, Request::Create(parent));
        }
        self.ask_zookeeper(cx, creates, |this, cx, answers| {
            let last = answers.into_iter().next_back().unwrap_or(Err(Code::SYSTEM_ERROR));
            then(this, cx, last.map(drop));
        });
    }
}
