//! `[expect]`.

use std::time::Duration;

use super::super::diagnostics::did_you_mean;
use super::super::plan::{Expect, QUANTILES};
use super::super::quantity;
use super::super::renamed::renamed;
use super::super::walk::{Item, Section};
use super::cluster::DURATION_MAX;
use crate::vocab::{Happening, Time, Wanted};

/// How long a healed cluster may take unless the scenario says otherwise: three of the longest
/// default session timeouts, so that a slow ZooKeeper alone is no failure.
const CONVERGE_WITHIN: Duration = Duration::from_secs(60);
/// What a client may take to catch up once it has given up on a broker that went away without a word.
const CATCH_UP: Duration = Duration::from_secs(30);
/// The longest that is waited for a cluster that a scenario gives no time: a client may be set to wait for weeks.
const CONVERGE_AT_MOST: Duration = Duration::from_secs(600);

const KEYS: &[&str] = &[
    "happened",
    "never",
    "acknowledged-loss",
    "converge-within",
    "unavailable-at-most",
    "latency-at-most",
];
/// What a table of a count can have.
pub(super) const COUNT_KEYS: &[&str] = &["count", "partition", "after", "before"];

/// All keys of `[expect]`.
pub(super) fn keys() -> Vec<&'static str> {
    let names = Happening::ALL.iter().map(|happening| happening.name());
    KEYS.iter().copied().chain(names).collect()
}

/// Reads `[expect]`. A client waits for the answer of a broker that lost power for `request_timeout`, the longest
/// `request.timeout.ms` of all clients (consumers before 2.0 for 305 s); a member for 5 s more than its
/// `max.poll.interval.ms` while it joins, and a group for its silent members as long as their sessions last; and a
/// transaction whose producer is gone is open until its timeout. `longest` is the longest of these: only then can the
/// cluster have converged.
pub(super) fn read(top: &Section<'_, '_>, longest: Duration) -> Expect {
    let by_default = longest.saturating_add(CATCH_UP).clamp(CONVERGE_WITHIN, CONVERGE_AT_MOST);
    let mut expect = Expect {
        happened: Vec::new(),
        never: Vec::new(),
        acknowledged_loss_permitted: false,
        converge_within: by_default,
        unavailable_at_most: None,
        wanted: Vec::new(),
        latency_at_most: Vec::new(),
    };
    let Some(section) = top.table("expect", "[expect]") else { return expect };
    expect.happened = happenings(&section, "happened");
    expect.never = happenings(&section, "never");
    if let Some(item) = section.take("acknowledged-loss") {
        let words = [("forbidden", false), ("permitted", true)];
        expect.acknowledged_loss_permitted = item.word("values", &words).unwrap_or(true);
    }
    if let Some(item) = section.take("converge-within") {
        expect.converge_within = converge_within(&item).unwrap_or(by_default);
    }
    if let Some(item) = section.take("unavailable-at-most") {
        expect.unavailable_at_most = item.quantity(quantity::duration);
    }
    if let Some(latency) = section.table("latency-at-most", "latency-at-most") {
        for (name, share) in QUANTILES {
            let limit = latency.take(name).and_then(|item| item.quantity(quantity::duration));
            expect.latency_at_most.extend(limit.map(|limit| (share, limit)));
        }
        latency.close(&QUANTILES.map(|(name, _)| name), &[]);
    }
    for &happening in Happening::ALL {
        counts(&section, happening, &mut expect.wanted);
    }
    section.close(&keys(), &[]);
    contradictions(&section, &expect);
    expect
}

/// How often something may happen: `"isr-shrunk" = "1..3"`, or `{count = "1..3", partition = "orders-0", after = "5s",
/// before = "20s"}`, or a list of those.
fn counts(section: &Section<'_, '_>, happening: Happening, wanted: &mut Vec<Wanted>) {
    let Some(item) = section.take(happening.name()) else { return };
    let several = item.is_list().then(|| item.elements("counts")).flatten();
    for item in several.unwrap_or_else(|| vec![item]) {
        wanted.extend(counted(&item, happening));
    }
}

fn counted(item: &Item<'_, '_>, happening: Happening) -> Option<Wanted> {
    let plain =
        Wanted { happening, least: 1, most: None, partition: None, after: None, before: None };
    let Some(table) = item.as_table("a count") else {
        let (least, most) = range(item)?;
        return Some(Wanted { least, most, ..plain });
    };
    let range = table.take("count").map(|item| range(&item));
    let (least, most) = range.unwrap_or(Some((1, None)))?;
    let mut wanted = Wanted { least, most, ..plain };
    let time = |key: &str| {
        let item = table.take(key)?;
        if happening.is_seen_at_the_end() {
            let message = format!("`{happening}` is seen at the end of a run only");
            return item.error(message, format!("leave `{key}` out"));
        }
        Some(Time::ZERO + item.quantity(quantity::duration)?)
    };
    (wanted.after, wanted.before) = (time("after"), time("before"));
    if let Some(item) = table.take("partition") {
        if !happening.has_partition() {
            let message = format!("`{happening}` is not about a partition");
            return item.error(message, "leave `partition` out");
        }
        let text = item.text()?;
        wanted.partition = text.parse().ok();
        if wanted.partition.is_none() {
            let message = format!("`{text}` is not a partition");
            return item.error(message, "a topic and a number: \"orders-0\"");
        }
    }
    table.close(COUNT_KEYS, &[]);
    if let (Some(after), Some(before)) = (wanted.after, wanted.before)
        && after >= before
    {
        return item.error("`after` is not before `before`", "nothing happens in no time");
    }
    Some(wanted)
}

/// `3`, `"3"`, `"1..3"`, `"1.."` or `"..3"`.
fn range(item: &Item<'_, '_>) -> Option<(u64, Option<u64>)> {
    let text = item.number_text().or_else(|| Some(item.text()?.to_owned()))?;
    let number = |text: &str, none| if text.is_empty() { Some(none) } else { text.parse().ok() };
    let read = match text.split_once("..") {
        None => text.parse().ok().map(|count| (count, Some(count))),
        Some((least, "")) => number(least, 0).map(|least| (least, None)),
        Some((least, most)) => number(least, 0).zip(most.parse().ok().map(Some)),
    };
    match read {
        Some((least, most)) if most.is_none_or(|most| least <= most) => Some((least, most)),
        _ => item.error(format!("`{text}` is not a count"), "for example: 2, \"1..3\", \"1..\""),
    }
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
    let lost = Happening::RecordLost.name();
    let Some(item) = section.take("happened").or_else(|| section.take(lost)) else { return };
    if let Some(both) = expect.happened.iter().find(|h| expect.never.contains(h)) {
        let message = format!("`{both}` must have happened and must never happen");
        let _: Option<()> = item.error(message, "take it out of one of the two lists");
    }
    let is_lost =
        expect.wanted.iter().any(|it| it.happening == Happening::RecordLost && it.least > 0);
    if (is_lost || expect.happened.contains(&Happening::RecordLost))
        && !expect.acknowledged_loss_permitted
    {
        let message = "a run that shows `record-lost` fails, so it cannot be expected";
        let _: Option<()> = item.error(message, "add acknowledged-loss = \"permitted\"");
    }
}
