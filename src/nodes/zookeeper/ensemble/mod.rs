//! A server's part in an ensemble (ZAB, as ZooKeeper builds it).
//!
//! A server looks for a leader ([`election`]), and then leads ([`leading`]) or follows ([`following`]) until that
//! fails; then it looks again. When it stops, its clients are disconnected, and what it has logged is applied,
//! committed or not: the end of the log counts in the next election, and becomes part of the history if this
//! server leads, or is truncated if another one does that has never seen it ([`sync`]).
//!
//! What has to be durable before what: a transaction before its acknowledgement; `acceptedEpoch` before the
//! epoch is acknowledged; the leader's history before `currentEpoch`, and that before NEWLEADER is acknowledged
//! ([`epochs`]). The last is the order of ZooKeeper 3.9.5; before it, a server could claim an epoch without its
//! history, and committed transactions were lost (ZOOKEEPER-4643, 4646, 4785).
//!
//! In the simulated network a host has no ports: a connection from another server carries votes or is a learner's,
//! as its first message says; every other one is a client's.

mod election;
mod ending;
mod epochs;
pub(super) mod events;
mod following;
pub(super) mod leader;
mod leading;
pub(super) mod learner;
mod links;
pub(super) mod peer;
mod sync;
#[cfg(test)]
mod testing;
