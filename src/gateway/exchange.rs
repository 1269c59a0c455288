//! What the two sides hand to one another: the thread with the sockets, which knows the wall clock, and the
//! thread with the simulated cluster, which must not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::cluster::Visitor;

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// It connected, by the door of that number.
    Open(usize),
    /// It sent something.
    Bytes(Bytes),
    /// It will send no more, but may still read.
    HalfClosed,
    /// It is gone.
    Gone,
}

/// What is to be done with a client's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Send this.
    Send(Bytes),
    /// Close it when all is sent.
    Close,
    /// Reset it, now.
    Reset,
    /// The server has read so many bytes more of what the client sent.
    Took(usize),
}

/// What the cluster's side finds when it looks.
#[derive(Debug, Default)]
pub struct Inbox {
    /// How much of the wall clock's time has passed since the start.
    pub elapsed: Duration,
    /// What clients did, in order.
    pub arrived: Vec<(Visitor, Arrived)>,
    /// Whether it should come to an end.
    pub stop: bool,
    is_new: bool,
}

/// What the sockets' side finds when it looks.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What is to be done, in order.
    pub orders: Vec<(Visitor, Order)>,
    /// Doors that are to be opened or shut, in order: their number, and whether somebody is to listen there.
    pub doors: Vec<(usize, bool)>,
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

/// A box of which a thread panicked while it held it is as good as before: no invariant spans two fields.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchange {
    /// The sockets' side: so much time has passed, and this arrived meanwhile. `arrived` is empty afterwards.
    pub fn tell(&self, elapsed: Duration, arrived: &mut Vec<(Visitor, Arrived)>, stop: bool) {
        let mut inbox = lock(&self.inbox);
        inbox.elapsed = elapsed;
        inbox.arrived.append(arrived);
        inbox.stop |= stop;
        inbox.is_new = true;
        self.arrival.notify_one();
    }

    /// The cluster's side: waits until something is told, and takes it.
    ///
    /// Waits without a time limit, as the limit would be measured with the simulated clock.
    pub fn wait(&self) -> Inbox {
        let mut inbox = lock(&self.inbox);
        while !inbox.is_new {
            inbox = self.arrival.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
        inbox.is_new = false;
        let arrived = std::mem::take(&mut inbox.arrived);
        Inbox { elapsed: inbox.elapsed, arrived, stop: inbox.stop, is_new: false }
    }

    /// How many things wait for the cluster's side.
    pub fn backlog(&self) -> usize {
        lock(&self.inbox).arrived.len()
    }

    /// The cluster's side: this is to be done. `orders` is empty afterwards.
    pub fn order(&self, orders: &mut Vec<(Visitor, Order)>) {
        lock(&self.outbox).orders.append(orders);
    }

    /// The cluster's side: at the door of that number somebody listens from now on, or nobody does.
    pub fn set_door(&self, door: usize, listens: bool) {
        lock(&self.outbox).doors.push((door, listens));
    }

    /// The cluster's side: there will be no more orders.
    pub fn end(&self) {
        lock(&self.outbox).is_over = true;
    }

    /// The sockets' side: takes what is to be done.
    pub fn take_orders(&self) -> Outbox {
        let mut outbox = lock(&self.outbox);
        let (orders, doors) =
            (std::mem::take(&mut outbox.orders), std::mem::take(&mut outbox.doors));
        Outbox { orders, doors, is_over: outbox.is_over }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_found_once_and_in_order() {
        let exchange = Exchange::default();
        let mut arrived = vec![(Visitor(1), Arrived::Open(0))];
        exchange.tell(Duration::from_millis(1), &mut arrived, false);
        arrived.push((Visitor(1), Arrived::Gone));
        exchange.tell(Duration::from_millis(2), &mut arrived, true);
        let found = exchange.wait();
        let both = [(Visitor(1), Arrived::Open(0)), (Visitor(1), Arrived::Gone)];
        assert_eq!(found.arrived, both);
        assert_eq!((found.elapsed, found.stop), (Duration::from_millis(2), true));
        exchange.tell(Duration::from_millis(3), &mut arrived, false);
        let found = exchange.wait();
        assert!(found.arrived.is_empty() && found.stop, "to stop is never taken back");
    }
}
