//! What administration asks of ZooKeeper: requests that belong together, and what goes on with their answers.
//!
//! In Kafka a handler's thread waits for ZooKeeper at every read and write; here the rest of its work waits instead.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::nodes::broker::context::Context;
use crate::wire::zookeeper::{Code, Reply};

/// How a request to ZooKeeper ended.
pub type Answer = Result<Reply, Code>;
/// What goes on with the answers; `B` is the broker.
pub type Then<B> = Box<dyn FnOnce(&mut B, &mut Context<'_>, Vec<Answer>) + Send>;

struct Waiting<B> {
    answers: Vec<Option<Answer>>,
    then: Then<B>,
}

impl<B> fmt::Debug for Waiting<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("answers", &self.answers).finish_non_exhaustive()
    }
}

/// Work that can go on. A request has as many parts as its client likes, and most need no answer of ZooKeeper: if each
/// began the next, the stack would overflow.
#[derive(Debug)]
pub struct Turns<W> {
    ready: VecDeque<W>,
    is_running: bool,
}

impl<W> Default for Turns<W> {
    fn default() -> Self {
        Self { ready: VecDeque::new(), is_running: false }
    }
}

impl<W> Turns<W> {
    /// This work can go on. Returns whether the caller has to see to it: else it is seen to already.
    pub fn add(&mut self, work: W) -> bool {
        self.ready.push_back(work);
        !std::mem::replace(&mut self.is_running, true)
    }

    /// What goes on next.
    pub fn next(&mut self) -> Option<W> {
        let next = self.ready.pop_front();
        self.is_running = next.is_some();
        next
    }
}

/// Owns the work that waits for ZooKeeper.
#[derive(Debug)]
pub struct AdminWork<B> {
    waiting: BTreeMap<u64, Waiting<B>>,
    next: u64,
}

impl<B> Default for AdminWork<B> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), next: 0 }
    }
}

impl<B> AdminWork<B> {
    /// Lets work wait for this many answers; returns its number.
    pub fn wait(&mut self, answers: usize, then: Then<B>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, Waiting { answers: vec![None; answers], then });
        number
    }

    /// Takes the answer to one request of this work; gives back what goes on when it was the last one.
    pub fn answered(
        &mut self,
        number: u64,
        index: usize,
        answer: Answer,
    ) -> Option<(Then<B>, Vec<Answer>)> {
        let waiting = self.waiting.get_mut(&number)?;
        waiting.answers[index] = Some(answer);
        if waiting.answers.iter().any(Option::is_none) {
            return None;
        }
        let Waiting { answers, then } = self.waiting.remove(&number)?;
        Some((then, answers.into_iter().flatten().collect()))
    }
}
