//! The recorder watches the world.

use crate::history::{Life, Observation, Recorder, Subscriber};
use crate::substrate::{Observer, What, WorldEvent};

impl<S: Subscriber> Observer<Observation> for Recorder<S> {
    fn event(&mut self, event: &WorldEvent<'_, Observation>) {
        let WorldEvent { time, node, what } = event;
        let (time, node) = (*time, *node);
        match *what {
            What::Delivered { conn, from, bytes } => {
                self.delivered(time, node, conn, from, bytes);
            }
            What::TimerFired { token } => self.timer(time, node, token),
            What::Disk { op, request } => self.disk(time, node, op, request),
            What::DiskDone { op } => self.disk_done(time, node, op),
            What::Observed(observation) => self.observed(time, node, observation),
            What::Opened { conn, peer } => self.opened(time, node, conn, peer),
            What::Accepted { conn, peer } => self.accepted(time, node, conn, peer),
            What::Closed { conn, peer, why } => self.closed(time, node, conn, peer, why),
            What::Connecting { conn, to } => self.connecting(time, node, conn, to),
            What::Closing { conn } => self.closing(time, node, conn),
            What::Started => self.life(time, node, Life::Started),
            What::Crashed => self.life(time, node, Life::Crashed),
            What::PowerLost => self.life(time, node, Life::PowerLost),
            What::Paused => self.life(time, node, Life::Paused),
            What::Resumed => self.life(time, node, Life::Resumed),
            What::ShutdownAsked => self.life(time, node, Life::ShutdownAsked),
            What::Exited => self.life(time, node, Life::Exited),
        }
    }
}
