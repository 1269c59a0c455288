//! DeleteTopics: the topics are marked in `/admin/delete_topics`, and the request is answered when this broker's
//! metadata have forgotten them (`ZkAdminManager.deleteTopics`, `DelayedDeleteTopics`). The controller does the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    DeleteTopicsRequest, DeleteTopicsResponse, ResponseKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::broker::Broker;
use super::timers::TimerFor;
use super::zk_requests::Op;
use crate::nodes::broker::context::{Context, Part, ReplyTo};
use crate::releases::Change;
use crate::wire::zookeeper::{Code, Reply};

/// The first version whose error for topics that are not to be deleted has a name of its own.
const WITH_DISABLED_ERROR: i16 = 3;
/// The first version that can name topics by their id.
const WITH_IDS: i16 = 6;

/// How one topic of a request ended, or that it is being deleted.
#[derive(Debug)]
struct Row {
    name: Option<Arc<str>>,
    id: Uuid,
    error: Option<ResponseError>,
    /// Whether the answer depends on it: the first of those that name the topic.
    counts: bool,
}

impl Row {
    fn waits(&self) -> bool {
        self.counts && self.error.is_none()
    }
}

/// A DeleteTopics whose topics are being deleted.
#[derive(Debug)]
struct Deletion {
    to: ReplyTo,
    rows: Vec<Row>,
    /// Topics that are not marked yet.
    unmarked: usize,
    timeout_ms: i32,
}

/// Owns the DeleteTopics that wait.
#[derive(Debug, Default)]
pub struct Deletions {
    waiting: BTreeMap<u64, Deletion>,
    next: u64,
}

fn reply(cx: &mut Context<'_>, to: ReplyTo, rows: &[Row]) {
    let result = |row: &Row| {
        let name = row.name.as_deref().map(|name| StrBytes::from_string(name.to_owned()));
        DeletableTopicResult::default()
            .with_name(name.map(TopicName))
            .with_topic_id(row.id)
            .with_error_code(row.error.map_or(0, |error| error.code()))
            .with_error_message(None)
    };
    let response =
        DeleteTopicsResponse::default().with_responses(rows.iter().map(result).collect());
    cx.reply(to, ResponseKind::DeleteTopics(response));
}

/// The topics that a request names.
fn named(to: ReplyTo, request: &DeleteTopicsRequest) -> Vec<(Option<Arc<str>>, Uuid)> {
    let name = |name: &TopicName| Arc::from(name.as_str());
    match to.version {
        WITH_IDS.. => {
            let topics = request.topics.iter();
            topics.map(|topic| (topic.name.as_ref().map(name), topic.topic_id)).collect()
        }
        _ => request.topic_names.iter().map(|topic| (Some(name(topic)), Uuid::nil())).collect(),
    }
}

impl Broker {
    /// DeleteTopics; answered when the topics are gone, or at the request's timeout.
    pub(super) fn delete_topics(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &DeleteTopicsRequest,
    ) {
        let mut rows = self.rows(to, request);
        let version = self.config.version;
        if !version.has(Change::DeletedTwiceAnsweredTwice) {
            rows.retain(|row| row.counts);
        }
        let topics: Vec<_> =
            rows.iter().filter(|row| row.waits()).filter_map(|row| row.name.clone()).collect();
        if topics.is_empty() {
            return reply(cx, to, &rows);
        }
        let number = self.deletions.next;
        self.deletions.next += 1;
        let (unmarked, timeout_ms) = (topics.len(), request.timeout_ms);
        self.deletions.waiting.insert(number, Deletion { to, rows, unmarked, timeout_ms });
        for topic in topics {
            self.zk.ask(cx, Op::MarkForDeletion(number, topic));
        }
    }

    fn rows(&self, to: ReplyTo, request: &DeleteTopicsRequest) -> Vec<Row> {
        let named = named(to, request);
        let is_disabled =
            self.config.version.has(Change::DeletionDisabledError) && !self.config.deletes_topics();
        let both = |(name, id): &(Option<Arc<str>>, Uuid)| name.is_some() && !id.is_nil();
        let of_all = if !self.controller.is_active() {
            Some(ResponseError::NotController)
        } else if is_disabled && to.version >= WITH_DISABLED_ERROR {
            Some(ResponseError::TopicDeletionDisabled)
        } else if is_disabled || named.iter().any(both) {
            Some(ResponseError::InvalidRequest)
        } else {
            None
        };
        let mut seen = BTreeSet::new();
        let row = |(name, id): (Option<Arc<str>>, Uuid)| {
            let name = match of_all {
                None if !id.is_nil() => self.metadata.topic_of(id).cloned(),
                _ => name,
            };
            let error = of_all.or_else(|| match &name {
                None => Some(ResponseError::UnknownTopicId),
                Some(name) if self.metadata.has_topic(name) => None,
                Some(_) => Some(ResponseError::UnknownTopicOrPartition),
            });
            let counts = seen.insert(name.clone());
            Row { name, id, error, counts }
        };
        named.into_iter().map(row).collect()
    }

    /// A topic is marked, or could not be. That it was marked before is no error.
    pub(super) fn topic_marked(
        &mut self,
        cx: &mut Context<'_>,
        number: u64,
        topic: &Arc<str>,
        result: &Result<Reply, Code>,
    ) {
        let Some(deletion) = self.deletions.waiting.get_mut(&number) else { return };
        deletion.unmarked -= 1;
        if !matches!(result, Ok(_) | Err(Code::NODE_EXISTS)) {
            let mut rows = deletion.rows.iter_mut().filter(|row| row.waits());
            if let Some(row) = rows.find(|row| row.name.as_ref() == Some(topic)) {
                row.error = Some(ResponseError::UnknownServerError);
            }
        }
        if deletion.unmarked > 0 {
            return;
        }
        if deletion.timeout_ms > 0 && deletion.rows.iter().any(Row::waits) {
            // The timeout begins when all topics are marked.
            let wait = Duration::from_millis(u64::from(deletion.timeout_ms.unsigned_abs()));
            cx.timer(Part::Server, cx.clock.now + wait, TimerFor::Deletion(number).number());
            self.end_deletions(cx);
        } else {
            self.end_deletion(cx, number);
        }
    }

    /// Answers the requests all of whose topics are gone.
    pub(super) fn end_deletions(&mut self, cx: &mut Context<'_>) {
        let is_gone =
            |row: &Row| row.name.as_ref().is_some_and(|name| !self.metadata.has_topic(name));
        let is_done = |one: &Deletion| {
            one.unmarked == 0 && one.rows.iter().filter(|row| row.waits()).all(is_gone)
        };
        let done = self.deletions.waiting.iter().filter(|(_, one)| is_done(one));
        for number in done.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.end_deletion(cx, number);
        }
    }

    /// Answers a request, its time being over or its topics gone.
    pub(super) fn end_deletion(&mut self, cx: &mut Context<'_>, number: u64) {
        let Some(mut deletion) = self.deletions.waiting.remove(&number) else { return };
        for row in deletion.rows.iter_mut().filter(|row| row.waits()) {
            let is_there = row.name.as_ref().is_some_and(|name| self.metadata.has_topic(name));
            if is_there || deletion.timeout_ms <= 0 {
                row.error = Some(ResponseError::RequestTimedOut);
            }
        }
        reply(cx, deletion.to, &deletion.rows);
    }
}
