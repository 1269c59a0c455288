//! A fetcher's side of a fetch session (KIP-227, `FetchSessionHandler`): what it asked last, so that the next request
//! names only what is different. Followers and consumers have one for each broker that they fetch from.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::ForgottenTopic;
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};

use crate::releases::{Change, KafkaVersion};

/// The epoch of a request for a new session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that asks for none.
const FINAL_EPOCH: i32 = -1;

#[derive(Clone, Debug)]
struct Entry<D> {
    topic: TopicName,
    partition: i32,
    asked: D,
    /// The request that asked for it last.
    request: u64,
}

/// The session with one broker. Partitions have slots, and `D` is what a request asks of one.
#[derive(Clone, Debug)]
pub struct FetchSession<D> {
    id: i32,
    epoch: i32,
    /// By slot.
    entries: Vec<Option<Entry<D>>>,
    /// How many partitions there are.
    count: usize,
    /// What the last request named.
    named: Vec<usize>,
    requests: u64,
}

impl<D: Copy + PartialEq> FetchSession<D> {
    /// No session yet; requests ask for one if the fetcher's `release` does.
    pub fn new(release: KafkaVersion) -> Self {
        let epoch = if release.has(Change::FetchSessions) { INITIAL_EPOCH } else { FINAL_EPOCH };
        Self { id: 0, epoch, entries: Vec::new(), count: 0, named: Vec::new(), requests: 0 }
    }

    /// Whether the next request asks for everything.
    pub fn is_full(&self) -> bool {
        matches!(self.epoch, INITIAL_EPOCH | FINAL_EPOCH)
    }

    /// What the last request asked of a partition, there or in its session.
    pub fn asked(&self, slot: usize) -> Option<D> {
        self.entries.get(slot)?.as_ref().map(|entry| entry.asked)
    }

    /// Makes the next request ask for these partitions and no others. Returns those that it has to name.
    pub fn next<'a>(
        &mut self,
        request: &mut FetchRequest,
        wanted: &[(usize, D)],
        name: impl Fn(usize) -> (&'a TopicName, i32),
    ) -> &[usize] {
        request.session_id = self.id;
        request.session_epoch = self.epoch;
        self.requests += 1;
        let names_all = self.is_full();
        self.named.clear();
        for &(slot, asked) in wanted {
            if slot >= self.entries.len() {
                self.entries.resize_with(slot + 1, || None);
            }
            let is_different = match &mut self.entries[slot] {
                Some(entry) => {
                    entry.request = self.requests;
                    std::mem::replace(&mut entry.asked, asked) != asked
                }
                none => {
                    let (topic, partition) = name(slot);
                    let (topic, request) = (topic.clone(), self.requests);
                    *none = Some(Entry { topic, partition, asked, request });
                    self.count += 1;
                    true
                }
            };
            if names_all || is_different {
                self.named.push(slot);
            }
        }
        if self.count > wanted.len() {
            let forgotten = self.forget();
            if !names_all {
                request.forgotten_topics_data = forgotten;
            }
        }
        &self.named
    }

    /// What the last request named. A full answer has the same partitions in this order.
    pub fn named(&self) -> &[usize] {
        &self.named
    }

    /// As [`Self::next`], when only these partitions can have changed since the last request of the session.
    pub fn next_changed(&mut self, request: &mut FetchRequest, changed: &[(usize, D)]) -> &[usize] {
        assert!(!self.is_full(), "only a session knows what was asked before");
        request.session_id = self.id;
        request.session_epoch = self.epoch;
        self.named.clear();
        for &(slot, asked) in changed {
            let entry = self.entries[slot].as_mut().expect("it was asked for before");
            if std::mem::replace(&mut entry.asked, asked) != asked {
                self.named.push(slot);
            }
        }
        &self.named
    }

    /// Takes out the partitions that the request at hand does not ask for.
    fn forget(&mut self) -> Vec<ForgottenTopic> {
        let mut forgotten: Vec<ForgottenTopic> = Vec::new();
        for slot in &mut self.entries {
            let Some(entry) = slot.take_if(|entry| entry.request != self.requests) else {
                continue;
            };
            self.count -= 1;
            match forgotten.last_mut() {
                Some(last) if last.topic == entry.topic => last.partitions.push(entry.partition),
                _ => forgotten.push(
                    ForgottenTopic::default()
                        .with_topic(entry.topic)
                        .with_partitions(vec![entry.partition]),
                ),
            }
        }
        forgotten
    }

    /// Takes an answer; whether there is something in it. Else the next request asks for a new session.
    pub fn answered(&mut self, response: &FetchResponse) -> bool {
        if self.epoch == FINAL_EPOCH {
            return response.error_code == 0;
        }
        if response.error_code != 0 {
            if response.error_code == ResponseError::FetchSessionIdNotFound.code() {
                self.id = 0;
            }
            self.epoch = INITIAL_EPOCH;
            return false;
        }
        // Without an id the broker has no room for a session, or has closed it.
        self.id = response.session_id;
        self.epoch = match self.id {
            0 => INITIAL_EPOCH,
            _ => self.epoch.checked_add(1).unwrap_or(1),
        };
        true
    }

    /// A request was lost: the next one closes the session and asks for another.
    pub fn lost(&mut self) {
        if self.epoch != FINAL_EPOCH {
            self.epoch = INITIAL_EPOCH;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::kafka::topic;

    type Session = FetchSession<i64>;

    fn request(session: &mut Session, wanted: &[(usize, i64)]) -> (FetchRequest, Vec<usize>) {
        let topic = topic("orders");
        let mut request = FetchRequest::default();
        session.next(&mut request, wanted, |slot| (&topic, slot as i32));
        (request, session.named().to_vec())
    }

    fn opened() -> Session {
        let mut session = Session::new(KafkaVersion::new(2, 8));
        let (first, named) = request(&mut session, &[(0, 5), (1, 6), (2, 7)]);
        assert_eq!((first.session_id, first.session_epoch), (0, 0));
        assert_eq!(named, [0, 1, 2]);
        assert!(session.answered(&FetchResponse::default().with_session_id(9)));
        session
    }

    #[test]
    fn a_request_names_what_is_different() {
        let mut session = opened();
        let (next, named) = request(&mut session, &[(0, 5), (1, 8), (2, 7), (3, 0)]);
        assert_eq!((next.session_id, next.session_epoch), (9, 1));
        assert_eq!((named, next.forgotten_topics_data), (vec![1, 3], vec![]));
        assert!(session.answered(&FetchResponse::default().with_session_id(9)));
        let (next, named) = request(&mut session, &[(3, 0), (1, 8)]);
        assert_eq!((next.session_epoch, named), (2, vec![]));
        assert_eq!(next.forgotten_topics_data[0].partitions, [0, 2]);
        assert_eq!((session.asked(1), session.asked(0)), (Some(8), None));
    }

    #[test]
    fn after_an_error_it_asks_for_a_new_session() {
        let wanted = [(0, 5), (1, 6), (2, 7)];
        for (code, id) in [(70, 0), (71, 9)] {
            let mut session = opened();
            request(&mut session, &wanted);
            assert!(!session.answered(&FetchResponse::default().with_error_code(code)));
            let (next, named) = request(&mut session, &wanted);
            assert_eq!((next.session_id, next.session_epoch), (id, 0), "error {code}");
            assert_eq!(named, [0, 1, 2]);
        }
        let mut session = opened();
        request(&mut session, &wanted);
        session.lost();
        let (next, _) = request(&mut session, &wanted);
        assert_eq!((next.session_id, next.session_epoch), (9, 0), "the old one is closed");
    }

    #[test]
    fn without_an_id_every_request_names_all() {
        for (minor, epoch) in [(0, -1), (1, 0)] {
            let mut session = Session::new(KafkaVersion::new(1, minor));
            for _ in 0..2 {
                let (next, named) = request(&mut session, &[(0, 5), (1, 6)]);
                assert_eq!((next.session_id, next.session_epoch), (0, epoch));
                assert_eq!(named, [0, 1]);
                assert!(session.answered(&FetchResponse::default()));
            }
        }
    }
}
