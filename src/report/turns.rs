//! The lines of a timeline.

use super::numbers::thousands;
use crate::model::Turn;

/// The node or partition that changed, and how.
pub fn subject_and_text(turn: &Turn) -> (String, String) {
    match turn {
        Turn::Fault { text } => ("fault".into(), text.to_string()),
        Turn::Life { node, life } => (node.to_string(), life.to_string()),
        Turn::LeaderElected { at, leader, leader_epoch, isr, election } => (
            at.to_string(),
            format!(
                "{leader} is elected leader, epoch {leader_epoch} ({election}), ISR {}",
                isr.join(" ")
            ),
        ),
        Turn::LeaderLost { at, leader_epoch, isr } => {
            (at.to_string(), format!("no leader, epoch {leader_epoch}, ISR {}", or_none(isr)))
        }
        Turn::IsrChanged { at, from, to } => {
            let verb = match (from.len(), to.len()) {
                (before, after) if after < before => "shrinks",
                (before, after) if after > before => "grows",
                _ => "changes",
            };
            (at.to_string(), format!("ISR {verb} from {} to {}", or_none(from), or_none(to)))
        }
        Turn::ControllerElected { broker, controller_epoch } => {
            (broker.to_string(), format!("becomes controller, epoch {controller_epoch}"))
        }
        Turn::SessionExpired { broker } => (broker.to_string(), "ZooKeeper session expired".into()),
        Turn::RegistrationBlocked { broker } => {
            (broker.to_string(), "cannot register while its previous session is open".into())
        }
        Turn::Truncated { at, broker, from, to } => {
            (at.to_string(), format!("{broker} truncates its log from {from} to {to}"))
        }
        Turn::FetchingFailed { at, broker, leader, end } => {
            (at.to_string(), format!("{broker} stops fetching from {leader} at offset {end}"))
        }
        Turn::UncleanShutdownRecovered { broker, truncated_bytes } => {
            (broker.to_string(), unclean_shutdown(*truncated_bytes))
        }
        Turn::Refused { at, client, error } => {
            (at.to_string(), format!("refuses a request of {client}: {error}"))
        }
        Turn::Halted { broker, why } => (broker.to_string(), format!("halts: {why}")),
    }
}

/// Recovery of a log that was not closed: what follows the last whole batch is cut.
pub(super) fn unclean_shutdown(truncated_bytes: u64) -> String {
    match truncated_bytes {
        0 => "recovers after an unclean shutdown, no torn bytes".to_owned(),
        bytes => {
            format!("recovers after an unclean shutdown, cuts {} torn bytes", thousands(bytes))
        }
    }
}

fn or_none(names: &[std::sync::Arc<str>]) -> String {
    if names.is_empty() { "none".into() } else { names.join(" ") }
}
