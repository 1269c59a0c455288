//! `[expect]`.

use std::time::Duration;

use super::super::diagnostics::did_you_mean;
use super::super::plan::Expect;
use super::super::quantity;
use super::super::renamed::renamed;
use super::super::walk::Section;
use crate::vocab::Happening;

/// How long a healed cluster may take unless the scenario says otherwise: three of the longest
/// default session timeouts, so that a slow ZooKeeper alone is no failure.
const CONVERGE_WITHIN: Duration = Duration::from_secs(60);

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
        expect.converge_within = item.quantity(quantity::duration).unwrap_or(CONVERGE_WITHIN);
    }
    if let Some(item) = section.take("unavailable-at-most") {
        expect.unavailable_at_most = item.quantity(quantity::duration);
    }
    let keys = ["happened", "never", "acknowledged-loss", "converge-within", "unavailable-at-most"];
    section.close(&keys, &[]);
    contradictions(&section, &expect);
    expect
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
