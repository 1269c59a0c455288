//! The lines of a timeline.

use crate::model::Turn;

/// Who or what a turning point is about, and what turned.
pub fn subject_and_text(turn: &Turn) -> (String, String) {
    match turn {
        Turn::Fault { text } => ("fault".into(), text.to_string()),
        Turn::Life { node, life } => (node.to_string(), life.to_string()),
        Turn::LeaderElected { at, leader, leader_epoch, isr, election } => (
            at.to_string(),
            format!(
                "{leader} is elected leader of epoch {leader_epoch} ({election}), in sync {}",
                isr.join(" ")
            ),
        ),
        Turn::LeaderLost { at, leader_epoch, isr } => (
            at.to_string(),
            format!("has no leader in epoch {leader_epoch}, in sync {}", or_nobody(isr)),
        ),
        Turn::IsrChanged { at, from, to } => {
            let verb = match (from.len(), to.len()) {
                (before, after) if after < before => "shrinks",
                (before, after) if after > before => "grows",
                _ => "changes",
            };
            (at.to_string(), format!("ISR {verb} from {} to {}", or_nobody(from), or_nobody(to)))
        }
        Turn::ControllerElected { broker, controller_epoch } => {
            (broker.to_string(), format!("is controller of epoch {controller_epoch}"))
        }
        Turn::SessionExpired { broker } => {
            (broker.to_string(), "lost its session at ZooKeeper".into())
        }
        Turn::RegistrationBlocked { broker } => {
            (broker.to_string(), "cannot register while its former session lives".into())
        }
        Turn::Truncated { at, broker, from, to } => {
            (at.to_string(), format!("{broker} truncates its log from {from} to {to}"))
        }
        Turn::FetchingFailed { at, broker, leader, end } => (
            at.to_string(),
            format!("{broker} fetches no more from {leader}, with a log that ends at {end}"),
        ),
        Turn::UncleanShutdownRecovered { broker, truncated_bytes } => {
            let cut = match truncated_bytes {
                0 => "nothing torn".to_owned(),
                bytes => format!("{bytes} torn bytes cut"),
            };
            (broker.to_string(), format!("recovers from an unclean shutdown, {cut}"))
        }
        Turn::Halted { broker, why } => (broker.to_string(), format!("halts: {why}")),
    }
}

fn or_nobody(names: &[std::sync::Arc<str>]) -> String {
    if names.is_empty() { "nobody".into() } else { names.join(" ") }
}
