//! `[expect]`.

use std::time::Duration;

use super::super::diagnostics::did_you_mean;
use super::super::plan::Expect;
use super::super::quantity;
use super::super::renamed::renamed;
use super::super::walk::{Item, Section};
use super::cluster::DURATION_MAX;
use crate::vocab::Happening;

/// How long a healed cluster may take unless the scenario says otherwise: three of the longest
/// default session timeouts, so that a slow ZooKeeper alone is no failure.
const CONVERGE_WITHIN: Duration = Duration::from_secs(60);

pub(super) const KEYS: &[&str] =
    &["happened", "never", "acknowledged-loss", "converge-within", "unavailable-at-most"];

/// Reads `[expect]`.
pub(super) fn read(top: &Section<'_, '_>) -> Expect {
    let mut expect = Expect {
        happened: Vec::new(),
        never: Vec::new(),
        acknowledged_loss_permitted: false,
        converge_within: CONVERGE_WITHIN,
        unavailable_at_most: None,
    };
    let Some(section) = top.table("expect", "[expect]") else { return expect };
    expect.happened = happenings(&section, "happened");
    expect.never = happenings(&section, "never");
    if let Some(item) = section.take("acknowledged-loss") {
        let words = [("forbidden", false), ("permitted", true)];
        expect.acknowledged_loss_permitted = item.word("values", &words).unwrap_or(true);
    }
    if let Some(item) = section.take("converge-within") {
        expect.converge_within = converge_within(&item).unwrap_or(CONVERGE_WITHIN);
    }
    if let Some(item) = section.take("unavailable-at-most") {
        expect.unavailable_at_most = item.quantity(quantity::duration);
    }
    section.close(KEYS, &[]);
    contradictions(&section, &expect);
    expect
}

fn converge_within(item: &Item<'_, '_>) -> Option<Duration> {
    let found = item.quantity(quantity::duration)?;
    if found > DURATION_MAX {
        let message = format!("`{}` must be at most {}", item.key, quantity::show(DURATION_MAX));
        return item.error(message, "a cluster that takes longer does not converge");
    }
    Some(found)
}

fn happenings(section: &Section<'_, '_>, key: &str) -> Vec<Happening> {
    let elements = section.take(key).and_then(|item| item.elements("names of happenings"));
    let mut found = Vec::new();
    for element in elements.unwrap_or_default() {
        let Some(text) = element.text() else { continue };
        match text.parse::<Happening>() {
            Ok(happening) if found.contains(&happening) => {
                let _: Option<()> =
                    element.error(format!("`{text}` is listed twice"), "once is enough");
            }
            Ok(happening) => found.push(happening),
            Err(unknown) => {
                if let Some(new) = renamed(text) {
                    let _: Option<()> = element.error(new.message(), new.hint());
                    continue;
                }
                let names = Happening::ALL.iter().map(|happening| happening.name());
                let hint = did_you_mean(text, "happenings", names);
                let _: Option<()> = element.error(unknown.to_string(), hint);
            }
        }
    }
    found
}

fn contradictions(section: &Section<'_, '_>, expect: &Expect) {
    let Some(item) = section.take("happened") else { return };
    if let Some(both) = expect.happened.iter().find(|h| expect.never.contains(h)) {
        let message = format!("`{both}` must have happened and must never happen");
        let _: Option<()> = item.error(message, "take it out of one of the two lists");
    }
    if expect.happened.contains(&Happening::RecordLost) && !expect.acknowledged_loss_permitted {
        let message = "a run that shows `record-lost` fails, so it cannot be expected";
        let _: Option<()> = item.error(message, "add acknowledged-loss = \"permitted\"");
    }
}
