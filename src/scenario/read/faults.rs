//! `[[fault]]`: every key follows from the table of faults.

use super::super::diagnostics::did_you_mean;
use super::super::draw::FaultSpec;
use super::super::faults::{
    Action, Allowed, Field, FieldValue, KINDS, Keyword, Need, Target, Undo,
};
use super::super::quantity::{self, show};
use super::super::walk::{Item, Section};
use super::context::{Context, NodeKind};
use super::schedule::{self, schedule};
use super::targets::targets;

/// Reads all faults, in the order of the file.
pub(super) fn read(context: &Context<'_>, top: &Section<'_, '_>) -> Vec<FaultSpec> {
    let sections = top.tables("fault", "[[fault]]");
    let read = |section| Some((fault(context, section)?, section));
    let faults: Vec<_> = sections.iter().filter_map(read).collect();
    for (fault, section) in &faults {
        // In a failure file the times are drawn, and the fault may have come out too late to do anything.
        let kind = fault.action.kind();
        if kind.allowed == Allowed::Ended && !context.is_drawn {
            let ends = |(other, _): &(FaultSpec, _)| {
                is_ended(other) && other.schedule.at.low < fault.schedule.at.high
            };
            if !faults.iter().any(ends) {
                let item = section.take(kind.name).expect("it was read from there");
                let message = format!("no earlier fault ends a process to {}", kind.name);
                let _: Option<()> = item.error(message, ends_processes());
            }
        }
    }
    faults.into_iter().map(|(fault, _)| fault).collect()
}

fn is_ended(fault: &FaultSpec) -> bool {
    fault.action.kind().undone.by() == Some(Undo::Restart)
}

/// "crash, power-loss and shutdown end processes".
fn ends_processes() -> String {
    let ends = KINDS.iter().filter(|kind| kind.undone.by() == Some(Undo::Restart));
    let names: Vec<&str> = ends.map(|kind| kind.name).collect();
    let (last, others) = names.split_last().expect("some fault ends a process");
    format!("{} and {last} end processes", others.join(", "))
}

fn fault(context: &Context<'_>, section: &Section<'_, '_>) -> Option<FaultSpec> {
    let blanks = Action::blanks().into_iter();
    let mut named = blanks.filter_map(|blank| Some((section.take(blank.kind().name)?, blank)));
    let Some((item, mut action)) = named.next() else {
        unknown_fault(section);
        return None;
    };
    if let Some((second, _)) = named.next() {
        let message =
            format!("a fault does one thing, not both `{}` and `{}`", item.key, second.key);
        section.sink.error_with(&second.key_span, message, "write a second [[fault]] table");
        return None;
    }
    let kind = action.kind();
    let schedule = schedule(context, section);
    let targets = targets(context, &item);
    let filled = fill(context, section, &item, targets.as_deref(), &mut action);
    let accepted = targets.as_deref().and_then(|to| accept(context, &item, kind.allowed, to));
    let undo = kind.undone.by().and_then(|undo| Some((undo, section.take(undo.key())?)));
    let undo_after = undo.as_ref().map(|(_, item)| item.duration_range());
    let mut valid = [schedule::KEYS, &[item.key]].concat();
    valid.extend(action.fields().iter().map(|field| field.key));
    valid.extend(kind.undone.by().map(Undo::key));
    section.close(&valid, &[]);

    let (schedule, _, ()) = (schedule?, filled?, accepted?);
    let undo_after = match undo_after {
        None => None,
        Some(range) => Some(range?),
    };
    let last = schedule.last();
    if let (Some(end), Some(after), Some((undo, item))) = (context.duration, undo_after, undo)
        && last + after.high > end
    {
        let (name, then) = (undo.verb(), show(last + after.high));
        let message =
            format!("the {name} can happen as late as {then}, past the end at {}", show(end));
        let hint = match undo {
            Undo::Restart => "raise `duration`; without the key the process stays stopped",
            Undo::Resume | Undo::Heal => "leave the key out: the end of the run undoes the fault",
        };
        return item.error(message, hint);
    }
    Some(FaultSpec { schedule, action, targets: targets?, undo_after })
}

/// A fault's table without a fault: most likely its name is mistyped.
fn unknown_fault(section: &Section<'_, '_>) {
    let names = || KINDS.iter().map(|kind| kind.name);
    let mut keys: Vec<&str> = schedule::KEYS.to_vec();
    keys.extend(Undo::ALL.map(Undo::key));
    for mut action in Action::blanks() {
        keys.extend(action.fields().iter().map(|field| field.key));
    }
    let mut found = false;
    for item in section.untaken().filter(|item| !keys.contains(&item.key)) {
        found = true;
        let hint = did_you_mean(item.key, "faults", names());
        let message = format!("unknown fault `{}`", item.key);
        section.sink.error_with(&item.key_span, message, hint);
    }
    if !found {
        let hint = format!("faults: {}", names().collect::<Vec<_>>().join(", "));
        section.sink.error_with(&section.span, "this [[fault]] does not say what happens", hint);
    }
}

/// Reads the fault's fields, all of them before the first mistake counts.
fn fill(
    context: &Context<'_>,
    section: &Section<'_, '_>,
    item: &Item<'_, '_>,
    own: Option<&[Target]>,
    action: &mut Action,
) -> Option<()> {
    let mut is_right = true;
    let mut missing: Vec<(&str, &str)> = Vec::new();
    let mut has_one = false;
    for Field { key, example, need, value, .. } in action.fields() {
        let found = match need {
            Need::Must => section.need(key, example),
            Need::May | Need::OneOf => section.take(key),
        };
        match (&found, need) {
            (Some(found), _) => {
                has_one |= need == Need::OneOf;
                is_right &= read_value(context, found, item.key, own, value).is_some();
            }
            (None, Need::Must) => is_right = false,
            (None, Need::OneOf) => missing.push((key, example)),
            (None, Need::May) => {}
        }
    }
    if !missing.is_empty() && !has_one {
        let keys: Vec<_> = missing.iter().map(|(key, _)| format!("`{key}`")).collect();
        let examples: Vec<_> = missing.iter().map(|(key, of)| format!("{key} = {of}")).collect();
        let hint = format!("for example: {}", examples.join(" or "));
        return item.error(format!("`{}` needs {}", item.key, keys.join(" or ")), hint);
    }
    is_right.then_some(())
}

fn read_value(
    context: &Context<'_>,
    item: &Item<'_, '_>,
    fault: &str,
    own: Option<&[Target]>,
    value: FieldValue<'_>,
) -> Option<()> {
    match value {
        FieldValue::Targets(mut to) => to.set(others(context, item, fault, own)?),
        FieldValue::Duration(mut to) => to.set(item.quantity(quantity::duration)?),
        FieldValue::Range(mut to) => to.set(item.duration_range()?),
        FieldValue::Millis(mut to) => to.set(item.quantity(quantity::signed_millis)?),
        FieldValue::Keyword(to) => keyword(item, to)?,
    }
    Some(())
}

/// Targets that none of the fault's own is among.
fn others(
    context: &Context<'_>,
    item: &Item<'_, '_>,
    fault: &str,
    own: Option<&[Target]>,
) -> Option<Vec<Target>> {
    let others = targets(context, item)?;
    if let Some(both) = others.iter().find(|target| own.unwrap_or_default().contains(target)) {
        let message = format!("`{both}` is on both sides of the `{fault}`");
        return item.error(message, "a node is always connected to itself");
    }
    Some(others)
}

fn keyword(item: &Item<'_, '_>, to: &mut dyn Keyword) -> Option<()> {
    let words: Vec<(&str, &str)> = to.words().iter().map(|word| (*word, *word)).collect();
    to.set(item.word(&format!("{}s", item.key), &words)?);
    Some(())
}

/// Reports targets that this kind of fault does not accept.
fn accept(
    context: &Context<'_>,
    item: &Item<'_, '_>,
    allowed: Allowed,
    targets: &[Target],
) -> Option<()> {
    match allowed {
        Allowed::Any => Some(()),
        Allowed::WithDisk => {
            let diskless = |target: &&Target| match target {
                Target::Node(name) => context.nodes.get(name) == Some(&NodeKind::Client),
                _ => false,
            };
            match targets.iter().find(diskless) {
                None => Some(()),
                Some(client) => {
                    item.error(format!("`{client}` has no disk"), "clients keep nothing")
                }
            }
        }
        Allowed::Ended => match targets.iter().find(|target| !target.is_fixed()) {
            None => Some(()),
            Some(role) => {
                let hint = "name the node, or use `restart-after` with the fault that ends it";
                item.error(format!("`{role}` runs: a node with a role cannot be restarted"), hint)
            }
        },
    }
}
