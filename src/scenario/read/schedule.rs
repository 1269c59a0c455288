//! `at`, `times` and `every`: when a fault or a command happens.

use super::super::draw::Schedule;
use super::super::quantity::show;
use super::super::walk::{Item, Section};
use super::context::Context;

/// The keys that are read here.
pub(super) const KEYS: &[&str] = &["at", "times", "every"];
/// More repetitions than any run needs.
const TIMES_MAX: i64 = 1_000;

/// Reads when it happens, how often, and how long between two times.
pub(super) fn schedule(context: &Context<'_>, section: &Section<'_, '_>) -> Option<Schedule> {
    let at_item = section.need("at", "\"8s\"");
    let times_item = section.take("times");
    let every_item = section.take("every");
    let times = times_item.as_ref().map_or(Some(1), |item| item.integer(1..=TIMES_MAX));
    let every = every_item.as_ref().map(Item::duration_range);
    let at = at_item.as_ref().and_then(Item::duration_range);
    if let (Some(item), None) = (&times_item, &every_item) {
        return item.error("`times` needs `every`", "for example: every = \"5s\"");
    }
    if let (None, Some(item)) = (&times_item, &every_item) {
        return item.error("`every` needs `times`", "for example: times = 3");
    }
    let (at, times) = (at?, u32::try_from(times?).ok()?);
    let every = match every {
        None => None,
        Some(every) => Some(every?),
    };
    let schedule = Schedule { at, times, every };
    if let Some(end) = context.duration {
        let last = schedule.last();
        let item = if at.high >= end { at_item? } else { every_item.or(at_item)? };
        if last >= end {
            let what = section.title.trim_matches(['[', ']']);
            let (last, end) = (show(last), show(end));
            let message =
                format!("the {what} can happen as late as {last}, but the run ends at {end}");
            return item.error(message, format!("raise `duration` or move the {what}"));
        }
    }
    Some(schedule)
}
