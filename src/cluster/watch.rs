//! Watches the world for the recorder, and keeps the view that faults resolve their roles in.

use super::view::View;
use crate::history::{Life, Observation, Recorder, Subscriber};
use crate::substrate::{Observer, What, WorldEvent};

/// The observer of a cluster's world.
pub struct Watch<S> {
    /// Takes every event.
    pub recorder: Recorder<S>,
    /// Who leads and who controls.
    pub view: View,
}

impl<S: Subscriber> Observer<Observation> for Watch<S> {
    fn event(&mut self, event: &WorldEvent<'_, Observation>) {
        let WorldEvent { time, node, what } = event;
        let (time, node) = (*time, *node);
        let recorder = &mut self.recorder;
        match *what {
            What::Delivered { conn, from, bytes } => {
                recorder.delivered(time, node, conn, from, bytes);
            }
            What::TimerFired { token } => recorder.timer(time, node, token),
            What::Disk { op, request } => recorder.disk(time, node, op, request),
            What::DiskDone { op } => recorder.disk_done(time, node, op),
            What::Observed(observation) => {
                recorder.observed(time, node, observation);
                self.view.observe(node, observation);
            }
            What::Opened { conn, peer } => recorder.opened(time, node, conn, peer),
            What::Accepted { conn, peer } => recorder.accepted(time, node, conn, peer),
            What::Closed { conn, peer, why } => recorder.closed(time, node, conn, peer, why),
            What::Connecting { conn, to } => recorder.connecting(time, node, conn, to),
            What::Closing { conn } => recorder.closing(time, node, conn),
            What::Started => recorder.life(time, node, Life::Started),
            What::Crashed => recorder.life(time, node, Life::Crashed),
            What::PowerLost => recorder.life(time, node, Life::PowerLost),
            What::Paused => recorder.life(time, node, Life::Paused),
            What::Resumed => recorder.life(time, node, Life::Resumed),
            What::ShutdownAsked => recorder.life(time, node, Life::ShutdownAsked),
            What::Exited => recorder.life(time, node, Life::Exited),
        }
    }
}
