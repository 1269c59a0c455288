//! A consumer whose owner says what it reads (`assign` and `seek`), without a group of brokers.

use std::sync::Arc;

use super::{Consumer, ConsumerConfig};
use crate::nodes::Effects;
use crate::vocab::{Offset, Roster, Stream, TopicPartition};

impl Consumer {
    /// A consumer that reads nothing until it is assigned something.
    pub fn manual(config: ConsumerConfig, roster: Arc<Roster>, stream: Stream) -> Self {
        let mut consumer = Self::new(config, roster, stream);
        consumer.is_manual = true;
        consumer
    }

    /// It reads a partition of its topics from here on: from `offset`, or from where the reset policy says. After the
    /// last call, [`Consumer::go_on`] sends the requests.
    pub fn assign(&mut self, at: &TopicPartition, offset: Option<Offset>, effects: &mut Effects) {
        let Some(topic) = self.metadata.topic(&at.topic) else { return };
        self.assignment.take(topic, at);
        let policy = self.config.auto_offset_reset;
        self.assignment.begin_at(at, (offset.unwrap_or(-1), -1), policy, effects);
    }

    /// It reads nothing any more.
    pub fn unassign_all(&mut self) {
        for at in self.assignment.owned() {
            self.assignment.give_up(&at, &self.config);
        }
    }

    /// How far it has read what it is assigned.
    pub fn positions(&self) -> Vec<(TopicPartition, Offset)> {
        let positions = self.assignment.positions(&self.config).into_iter();
        positions.map(|position| (position.at, position.offset)).collect()
    }
}
