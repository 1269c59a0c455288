//! What the two threads exchange: the one with the sockets, which knows the wall clock, and the one with the
//! simulated cluster, which must not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::cluster::Visitor;

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// It connected to the server of that index.
    Open(usize),
    /// It sent something.
    Bytes(Bytes),
    /// It will send no more, but may still read.
    HalfClosed,
    /// It disconnected.
    Gone,
}

/// What to do with a client's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Send this.
    Send(Bytes),
    /// Close it after everything was sent.
    Close,
    /// Reset it, now.
    Reset,
    /// The server has read this many more bytes of what the client sent.
    Took(usize),
    /// Of what the client sent, the server has answered all requests that end within this many bytes.
    Answered(u64),
}

/// What has arrived for the cluster's side.
#[derive(Debug, Default)]
pub struct Inbox {
    /// Real time since the start.
    pub elapsed: Duration,
    /// What clients did, in order.
    pub arrived: Vec<(Visitor, Arrived)>,
    /// Whether serving should end.
    pub stop: bool,
    /// Bytes among `arrived`.
    bytes: usize,
    is_new: bool,
}

/// What the sockets' side has to do.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Orders, in order.
    pub orders: Vec<(Visitor, Order)>,
    /// Servers that start or stop to listen, in order: their index, and whether they listen.
    pub listening: Vec<(usize, bool)>,
    /// Whether there will be no more.
    pub is_over: bool,
}

/// Both boxes.
#[derive(Debug, Default)]
pub struct Exchange {
    inbox: Mutex<Inbox>,
    arrival: Condvar,
    outbox: Mutex<Outbox>,
}

/// A box is usable after a panic of the thread that held it: no invariant spans two fields.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchange {
    /// The sockets' side: `elapsed` time has passed, and this arrived. `arrived` is empty afterwards.
    pub fn deliver(&self, elapsed: Duration, arrived: &mut Vec<(Visitor, Arrived)>, stop: bool) {
        let mut inbox = lock(&self.inbox);
        inbox.elapsed = elapsed;
        let sizes = arrived.iter().map(|(_, arrived)| match arrived {
            Arrived::Bytes(bytes) => bytes.len(),
            Arrived::Open(_) | Arrived::HalfClosed | Arrived::Gone => 0,
        });
        inbox.bytes += sizes.sum::<usize>();
        inbox.arrived.append(arrived);
        inbox.stop |= stop;
        inbox.is_new = true;
        self.arrival.notify_one();
    }

    /// The cluster's side: waits for the next delivery, and takes it.
    ///
    /// Waits without a time limit, as the limit would be measured with the simulated clock.
    pub fn wait(&self) -> Inbox {
        let mut inbox = lock(&self.inbox);
        while !inbox.is_new {
            inbox = self.arrival.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
        (inbox.is_new, inbox.bytes) = (false, 0);
        let arrived = std::mem::take(&mut inbox.arrived);
        Inbox { elapsed: inbox.elapsed, arrived, stop: inbox.stop, bytes: 0, is_new: false }
    }

    /// How many events wait for the cluster's side, and how many bytes.
    pub fn backlog(&self) -> (usize, usize) {
        let inbox = lock(&self.inbox);
        (inbox.arrived.len(), inbox.bytes)
    }

    /// The cluster's side: hands over `orders`, which is empty afterwards.
    pub fn order(&self, orders: &mut Vec<(Visitor, Order)>) {
        lock(&self.outbox).orders.append(orders);
    }

    /// The cluster's side: the server of that index starts or stops to listen.
    pub fn set_listening(&self, server: usize, listens: bool) {
        lock(&self.outbox).listening.push((server, listens));
    }

    /// The cluster's side: there will be no more orders.
    pub fn end(&self) {
        lock(&self.outbox).is_over = true;
    }

    /// The sockets' side: takes all orders.
    pub fn take_orders(&self) -> Outbox {
        let mut outbox = lock(&self.outbox);
        let (orders, listening) =
            (std::mem::take(&mut outbox.orders), std::mem::take(&mut outbox.listening));
        Outbox { orders, listening, is_over: outbox.is_over }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_delivered_is_found_once_and_in_order() {
        let exchange = Exchange::default();
        let mut arrived = vec![(Visitor(1), Arrived::Open(0))];
        exchange.deliver(Duration::from_millis(1), &mut arrived, false);
        arrived.push((Visitor(1), Arrived::Gone));
        exchange.deliver(Duration::from_millis(2), &mut arrived, true);
        let found = exchange.wait();
        let both = [(Visitor(1), Arrived::Open(0)), (Visitor(1), Arrived::Gone)];
        assert_eq!(found.arrived, both);
        assert_eq!((found.elapsed, found.stop), (Duration::from_millis(2), true));
        exchange.deliver(Duration::from_millis(3), &mut arrived, false);
        let found = exchange.wait();
        assert!(found.arrived.is_empty() && found.stop, "a stop is never taken back");
    }
}
