//! The one timer of a client.

use crate::nodes::Effects;
use crate::vocab::{Time, TimerId};

/// One timer for everything that a client waits for.
///
/// It is never moved to a later moment: when it fires too early, it is set again. That costs one idle step now
/// and then, and saves two effects in each of the many steps in which the next moment moves away.
#[derive(Debug, Default)]
pub struct Wake {
    armed: Option<(TimerId, Time)>,
}

impl Wake {
    /// A timer fired. Returns whether it was this one; any other was cancelled.
    pub fn fired(&mut self, id: TimerId) -> bool {
        let mine = self.armed.is_some_and(|(armed, _)| armed == id);
        if mine {
            self.armed = None;
        }
        mine
    }

    /// Makes sure that the timer fires at `at` at the latest.
    pub fn arm(&mut self, effects: &mut Effects, at: Option<Time>) {
        // There is nothing to wait for.
        let Some(at) = at else { return };
        if let Some((id, armed)) = self.armed {
            if armed <= at {
                return;
            }
            effects.cancel(id);
        }
        self.armed = Some((effects.timer(at, 0), at));
    }
}

/// The earlier of two moments, of which each may be missing.
pub fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::step::Effect;

    #[test]
    fn the_timer_moves_only_to_an_earlier_moment() {
        let mut effects = Effects::default();
        let mut wake = Wake::default();
        for ms in [10, 20, 5] {
            wake.arm(&mut effects, Some(Time::from_millis(ms)));
        }
        let set: Vec<_> = effects
            .drain()
            .filter_map(|effect| match effect {
                Effect::SetTimer { id, at, .. } => Some((id, at.as_millis())),
                _ => None,
            })
            .collect();
        assert_eq!(set.iter().map(|set| set.1).collect::<Vec<_>>(), [10, 5]);
        assert!(!wake.fired(set[0].0), "it was cancelled");
        assert!(wake.fired(set[1].0));
        assert!(!wake.fired(set[1].0), "it fires once");
    }
}
