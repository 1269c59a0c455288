//! Sessions: the table of all (replicated, durable), and when each one expires (in this server's memory).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::config::Config;
use super::step::Effects;
use super::txn::{PASSWORD, decode_password};
use crate::vocab::{Mutant, Time, TimerId};
use crate::wire::jute::{JuteError, Reader, Writer};

/// A session as every server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its negotiated timeout, in milliseconds.
    pub timeout_ms: i32,
    /// What a connection must know to attach to it.
    pub password: [u8; PASSWORD],
}

/// All sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionTable {
    sessions: BTreeMap<i64, Session>,
    /// The highest id that each server ever assigned, by the high byte of ids: no id is assigned twice, even if
    /// wall clocks go back.
    last_ids: BTreeMap<u8, i64>,
}

/// The server that assigned the id.
pub(super) fn giver(id: i64) -> u8 {
    id.to_be_bytes()[0]
}

impl SessionTable {
    /// The session `id`.
    pub fn get(&self, id: i64) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Session)> {
        self.sessions.iter().map(|(id, session)| (*id, session))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The highest id that server `server_id` ever assigned.
    pub fn last_id(&self, server_id: u8) -> Option<i64> {
        self.last_ids.get(&server_id).copied()
    }

    /// Adds a session.
    pub fn open(&mut self, id: i64, session: Session) {
        let last = self.last_ids.entry(giver(id)).or_insert(id);
        *last = id.max(*last);
        self.sessions.insert(id, session);
    }

    /// Removes a session; says whether there was one.
    pub fn close(&mut self, id: i64) -> bool {
        self.sessions.remove(&id).is_some()
    }

    /// Adds the table to a snapshot.
    pub fn encode(&self, to: &mut Writer) {
        to.count(self.last_ids.len());
        self.last_ids.values().for_each(|id| to.long(*id));
        to.count(self.sessions.len());
        for (id, session) in &self.sessions {
            to.long(*id);
            to.int(session.timeout_ms);
            to.raw(&session.password);
        }
    }

    /// Reads the table of a snapshot.
    ///
    /// # Errors
    /// When the bytes are no table.
    pub fn decode(from: &mut Reader) -> Result<Self, JuteError> {
        let mut table = Self::default();
        for _ in 0..from.count()? {
            let id = from.long()?;
            table.last_ids.insert(giver(id), id);
        }
        for _ in 0..from.count()? {
            let (id, timeout_ms) = (from.long()?, from.int()?);
            table.open(id, Session { timeout_ms, password: decode_password(from)? });
        }
        Ok(table)
    }
}

/// The first session id of a server that starts: its own id in the high byte, then the time, as ZooKeeper
/// does it; each next one is one more.
pub fn first_id(server_id: u8, wall_ms: i64) -> i64 {
    // The sum of the top byte and 40 bits of time, above 16 bits that count.
    let time = ((wall_ms as u64) << 24) >> 8;
    (u64::from(server_id) << 56 | time) as i64
}

/// The negotiated timeout, in milliseconds: the requested one, within the configured limits.
pub fn negotiate(wanted_ms: i32, config: &Config) -> i32 {
    let limit = |set: Option<u32>, ticks: u32| {
        let limit = set.unwrap_or(config.tick_ms.saturating_mul(ticks));
        i32::try_from(limit).unwrap_or(i32::MAX)
    };
    let most = limit(config.max_session_timeout_ms, 20);
    wanted_ms.max(limit(config.min_session_timeout_ms, 2)).min(most)
}

/// When sessions expire, in buckets of one tick: a session is never expired before its timeout is over
/// since its client was last heard, and at most one tick later.
#[derive(Debug)]
pub struct Expiry {
    tick_ms: u64,
    /// A tick ends so many milliseconds before a multiple of a tick. Buckets are named by those multiples.
    phase_ms: u64,
    /// Ticks from the one in which a timeout is over to the one in which its session expires: 1.
    ticks_on: u64,
    buckets: BTreeMap<u64, BTreeSet<i64>>,
    sessions: BTreeMap<i64, Touched>,
}

#[derive(Clone, Copy, Debug)]
struct Touched {
    timeout_ms: u64,
    bucket_ms: u64,
    /// When its client was last heard, or the server began to track it.
    heard: Time,
}

impl Expiry {
    /// Nothing to expire yet.
    ///
    /// # Panics
    /// When the tick is 0.
    pub fn new(tick_ms: u32, mutant: Option<Mutant>) -> Self {
        assert!(tick_ms > 0, "a tick of no time");
        let ticks_on = if mutant == Some(Mutant::RoundSessionsDown) { 0 } else { 1 };
        let (buckets, sessions) = (BTreeMap::new(), BTreeMap::new());
        Self { tick_ms: tick_ms.into(), phase_ms: 0, ticks_on, buckets, sessions }
    }

    /// Ticks that end `phase_ms` milliseconds, less than a tick, before its multiples.
    #[must_use]
    pub fn with_phase(self, phase_ms: u64) -> Self {
        assert!(phase_ms < self.tick_ms, "a phase of more than a tick");
        Self { phase_ms, ..self }
    }

    /// Begins to track a session, or changes its timeout.
    pub fn track(&mut self, now: Time, session: i64, timeout_ms: i32) {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        let new = Touched { timeout_ms, bucket_ms: 0, heard: now };
        self.sessions.entry(session).or_insert(new).timeout_ms = timeout_ms;
        self.touch(now, session);
    }

    /// The session's client was heard. No effect on a session that has expired, or is tracked elsewhere.
    pub fn touch(&mut self, now: Time, session: i64) {
        let Some(touched) = self.sessions.get_mut(&session) else { return };
        touched.heard = now;
        let over = (now.as_millis() + self.phase_ms + touched.timeout_ms) / self.tick_ms;
        let bucket = (over + self.ticks_on) * self.tick_ms;
        if bucket > touched.bucket_ms {
            let before = std::mem::replace(&mut touched.bucket_ms, bucket);
            self.leave(before, session);
            self.buckets.entry(bucket).or_default().insert(session);
        }
    }

    /// Forgets a session.
    pub fn forget(&mut self, session: i64) {
        if let Some(touched) = self.sessions.remove(&session) {
            self.leave(touched.bucket_ms, session);
        }
    }

    fn leave(&mut self, bucket: u64, session: i64) {
        if let Some(sessions) = self.buckets.get_mut(&bucket) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }

    /// The sessions that expire together, and when, in milliseconds.
    pub(super) fn sets(&self) -> impl Iterator<Item = (u64, &BTreeSet<i64>)> {
        self.buckets.iter().map(|(bucket, sessions)| (bucket - self.phase_ms, sessions))
    }

    /// When something may expire next.
    pub fn next(&self) -> Option<Time> {
        let (bucket, _) = self.buckets.first_key_value()?;
        Some(Time::ZERO + Duration::from_millis(bucket - self.phase_ms))
    }

    /// Sets `timer` for when something may expire next. Touches only move deadlines back, so an early timer is
    /// kept, and looks again when it fires.
    pub(super) fn arm(&self, timer: &mut Option<(Time, TimerId)>, token: u64, fx: &mut Effects) {
        let Some(next) = self.next() else { return };
        if timer.is_none_or(|(due, _)| next < due) {
            if let Some((_, id)) = *timer {
                fx.cancel(id);
            }
            *timer = Some((next, fx.timer(next, token)));
        }
    }

    /// The sessions whose timeout is over, in order of their ids within a bucket, and when each client was last
    /// heard; they are forgotten here.
    pub fn expired(&mut self, now: Time) -> Vec<(i64, Time)> {
        let mut expired = Vec::new();
        while let Some(bucket) = self.buckets.first_entry()
            && *bucket.key() <= now.as_millis() + self.phase_ms
        {
            expired.extend(bucket.remove());
        }
        let forget = |session| Some((session, self.sessions.remove(&session)?.heard));
        expired.into_iter().filter_map(forget).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_kept_between_2_and_20_ticks() {
        for (wanted, granted) in [(1, 4_000), (6_000, 6_000), (10_000_000, 40_000), (-5, 4_000)] {
            let config = Config { tick_ms: 2_000, ..Config::default() };
            assert_eq!(negotiate(wanted, &config), granted);
        }
    }

    #[test]
    fn ids_begin_with_the_server_and_rise_with_time() {
        let id = first_id(1, 1_795_357_676_000);
        assert_eq!(id >> 56, 1);
        assert!(first_id(1, 1_795_357_676_001) > id + 60_000);
    }

    #[test]
    fn a_session_expires_within_a_tick_after_its_timeout_and_never_before() {
        for touched_ms in [0, 1, 999, 1_000, 1_999, 2_000, 2_001] {
            let mut expiry = Expiry::new(2_000, None);
            expiry.track(Time::from_millis(touched_ms), 7, 4_000);
            let at = expiry.next().unwrap();
            let silent = at.since(Time::from_millis(touched_ms)).as_millis();
            assert!((4_001..=6_000).contains(&silent), "{touched_ms}: {silent}");
            assert!(expiry.expired(Time(at.0 - 1)).is_empty());
            assert_eq!(expiry.expired(at), [(7, Time::from_millis(touched_ms))]);
            assert_eq!(expiry.next(), None);
        }
    }

    #[test]
    fn ticks_have_a_phase() {
        for phase_ms in [0, 1, 700, 1_999] {
            let mut expiry = Expiry::new(2_000, None).with_phase(phase_ms);
            expiry.track(Time::from_millis(500), 7, 4_000);
            let at = expiry.next().unwrap();
            let silent = at.since(Time::from_millis(500)).as_millis();
            assert!((4_001..=6_000).contains(&silent), "{phase_ms}: {silent}");
            assert_eq!((at.as_millis() + u64::from(phase_ms as u32)) % 2_000, 0);
            assert!(expiry.expired(Time(at.0 - 1)).is_empty());
            assert_eq!(expiry.expired(at).len(), 1);
        }
    }

    #[test]
    fn a_touch_moves_the_deadline_and_forgetting_removes_it() {
        let mut expiry = Expiry::new(1_000, None);
        expiry.track(Time::ZERO, 1, 2_000);
        expiry.track(Time::ZERO, 2, 2_000);
        expiry.touch(Time::from_millis(1_500), 1);
        assert_eq!(expiry.expired(Time::from_millis(3_000)), [(2, Time::ZERO)]);
        expiry.forget(1);
        assert_eq!(expiry.next(), None);
        expiry.touch(Time::from_millis(4_000), 1);
        assert_eq!(expiry.next(), None);
    }
}
