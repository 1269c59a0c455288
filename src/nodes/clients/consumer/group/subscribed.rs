//! What a member subscribes to: topics by name, or those that match a pattern, which change.

use std::sync::Arc;

use super::super::config::ConsumerConfig;
use crate::nodes::clients::metadata::Metadata;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{Time, TopicPartition, TopicPattern};

/// The subscription of one member.
#[derive(Debug)]
pub struct Subscribed {
    pattern: Option<TopicPattern>,
    /// With a pattern sorted, and those that matched last.
    topics: Vec<Arc<str>>,
    /// With a pattern: the topics of the last JoinGroup.
    joined: Option<Vec<Arc<str>>>,
    /// How many answers metadata had had when topics were matched last.
    matched: u64,
    /// How many it has to have had before the next JoinGroup.
    joins_from: Option<u64>,
}

impl Subscribed {
    /// Nothing has matched yet.
    pub fn new(consumer: &ConsumerConfig) -> Self {
        Self {
            pattern: consumer.matching.clone(),
            topics: consumer.topics.clone(),
            joined: None,
            matched: 0,
            joins_from: None,
        }
    }

    /// The topics.
    pub fn topics(&self) -> &[Arc<str>] {
        &self.topics
    }

    /// With a pattern: subscribes to what matches now. Whether that is not what the group knows.
    pub fn match_topics(&mut self, metadata: &Metadata) -> bool {
        let Some(pattern) = &self.pattern else { return false };
        if self.matched != metadata.updates() {
            self.matched = metadata.updates();
            self.topics = metadata.matching(pattern);
        }
        self.joined.as_ref().is_some_and(|joined| *joined != self.topics)
    }

    /// With a pattern: whether metadata is new enough to join, so that one new topic does not make the group rebalance
    /// once for each member; before 2.0.1 it was not asked for again.
    pub fn is_fresh(&mut self, release: KafkaVersion, now: Time, metadata: &mut Metadata) -> bool {
        if self.pattern.is_none() {
            return true;
        }
        let from = *self.joins_from.get_or_insert_with(|| {
            if release.has(Change::PatternRefreshesMetadata) {
                metadata.request_allowed_update(now);
            }
            metadata.updates() + u64::from(metadata.is_wanted())
        });
        let is_fresh = metadata.updates() >= from;
        if is_fresh {
            self.match_topics(metadata);
        }
        is_fresh
    }

    /// JoinGroup was sent.
    pub fn join_sent(&mut self) {
        self.joins_from = None;
        self.joined = self.pattern.is_some().then(|| self.topics.clone());
    }

    /// Whether a topic is one of them, or may be one as far as the pattern goes.
    pub fn covers(&self, topic: &Arc<str>) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.matches(topic),
            None => self.topics.contains(topic),
        }
    }

    /// The leader may have assigned topics that this member does not know yet (`maybeUpdateJoinedSubscription`).
    pub fn assigned(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            if !self.topics.contains(&at.topic) {
                self.topics.push(at.topic.clone());
                self.topics.sort();
                self.joined.get_or_insert_default().push(at.topic.clone());
            }
        }
        self.joined.iter_mut().for_each(|joined| joined.sort());
    }
}
