//! How a member closes (`KafkaConsumer.close`): a last commit, LeaveGroup, and no longer than 30 s.

use std::time::Duration;

use super::config::CommitPolicy;
use super::link::Asked;
use super::member::{Client, Member};
use super::standing::Stage;
use crate::nodes::Effects;
use crate::nodes::clients::wake::earlier;
use crate::vocab::Time;

/// `KafkaConsumer.DEFAULT_CLOSE_TIMEOUT_MS`
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

impl Member {
    /// Goes on closing; `Err` when that is done, else when to come back.
    pub fn close(
        &mut self,
        now: Time,
        client: &mut Client<'_>,
        effects: &mut Effects,
    ) -> Result<Option<Time>, ()> {
        let until = match self.closes_at {
            Some(until) => until,
            None => {
                let until = now + CLOSE_TIMEOUT;
                self.closes_at = Some(until);
                let commits = matches!(self.config.commit, CommitPolicy::Auto(_));
                if !self.commits.is_awaited() && commits && self.stage == Stage::Stable {
                    let positions = client.assignment.positions(client.config);
                    self.commits.begin(positions, Some(until));
                }
                until
            }
        };
        // A last commit that takes too long does not keep it from leaving.
        if self.commits.is_awaited() {
            let next = self.wait_for_commit(now, client, effects);
            if self.commits.take_outcome().is_none() && now < until {
                return Ok(earlier(next, Some(until)));
            }
        }
        let owned = client.assignment.owned();
        if !owned.is_empty() {
            let is_lost = self.identity.generation < 0 || self.stage != Stage::Stable;
            self.give_up((client.assignment, client.config), &owned, is_lost, effects);
        }
        self.leave(now, effects);
        let waits = |asked: &Asked| matches!(asked, Asked::Leave | Asked::Commit(_));
        match now < until && self.link.is_known() && self.link.awaits(waits) {
            true => Ok(Some(until)),
            false => Err(()),
        }
    }
}
