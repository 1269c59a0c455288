//! The table of releases → text and JSON: all rows, the differences between two releases, those that a run depended on.

use std::fmt::{self, Display, Write};

use serde_json::{Value, json as value};

use super::json::document;
use super::style::{Paint, Style};
use crate::releases::{
    Asked, ChangedDefault, Difference, KafkaVersion, Period, Row, Shown, TABLE, difference,
};
use crate::run::Build;

/// Every difference between releases, with its source and what shows it.
pub fn releases(style: Style) -> String {
    let mut out = String::new();
    table(&mut out, style).expect("a string takes everything");
    out
}

fn table(out: &mut String, style: Style) -> fmt::Result {
    for row in TABLE {
        writeln!(out, "{}", style.paint(Paint::Heading, row.name))?;
        writeln!(out, "  {:<6}  {}", "kafka", period(row.period))?;
        writeln!(out, "  {:<6}  {}", "source", row.source)?;
        writeln!(out, "  {:<6}  {}", "what", row.sentence)?;
        match row.shown {
            Shown::Scenario(name) => writeln!(out, "  {:<6}  scenarios/{name}.toml", "shown")?,
            Shown::Test(name) => writeln!(out, "  {:<6}  test {name}", "shown")?,
        }
    }
    Ok(())
}

fn period(period: Period) -> String {
    match period.last {
        None => format!("since {}", period.first),
        Some(last) => format!("until {last}"),
    }
}

/// What differs between two releases.
pub fn releases_difference(from: KafkaVersion, to: KafkaVersion, style: Style) -> String {
    let mut out = String::new();
    differs(&mut out, from, to, style).expect("a string takes everything");
    out
}

fn differs(out: &mut String, from: KafkaVersion, to: KafkaVersion, style: Style) -> fmt::Result {
    let Difference { came, went, apis, defaults } = difference(from, to);
    if came.is_empty() && went.is_empty() && apis.is_empty() && defaults.is_empty() {
        return writeln!(out, "kafka {from} and {to} do not differ in what is simulated");
    }
    rows(out, &format!("only in kafka {to}"), &came, style)?;
    rows(out, &format!("only in kafka {from}"), &went, style)?;
    let apis = apis.iter().map(|(api, old, new)| (format!("{api:?}"), *old, *new));
    changes(out, "highest API version", apis, style)?;
    let defaults = defaults
        .iter()
        .map(|ChangedDefault { owner, name, from, to }| (format!("{owner}  {name}"), *from, *to));
    changes(out, "default", defaults, style)
}

fn rows(out: &mut String, heading: &str, rows: &[&Row], style: Style) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", style.paint(Paint::Heading, heading))?;
    for row in rows {
        let period = period(row.period);
        writeln!(out, "  {}  {period}  {}", row.name, style.paint(Paint::Faint, row.source))?;
        writeln!(out, "    {}", row.sentence)?;
    }
    Ok(())
}

fn changes<T: Display>(
    out: &mut String,
    heading: &str,
    changed: impl Iterator<Item = (String, Option<T>, Option<T>)>,
    style: Style,
) -> fmt::Result {
    let changed: Vec<_> = changed.collect();
    let Some(widest) = changed.iter().map(|(name, ..)| name.chars().count()).max() else {
        return Ok(());
    };
    writeln!(out, "{}", style.paint(Paint::Heading, heading))?;
    let shown = |value: &Option<T>| value.as_ref().map_or_else(|| "none".to_owned(), T::to_string);
    for (name, old, new) in &changed {
        writeln!(out, "  {name:<widest$}  {} → {}", shown(old), shown(new))?;
    }
    Ok(())
}

/// Every difference between releases as a JSON document, ended with a newline.
pub fn releases_json(build: Build) -> String {
    let rows: Vec<Value> = TABLE.iter().map(row_json).collect();
    document(&value!({ "differences": rows }), [of_build(build)])
}

/// What differs between two releases as a JSON document, ended with a newline.
pub fn releases_difference_json(from: KafkaVersion, to: KafkaVersion, build: Build) -> String {
    let Difference { came, went, apis, defaults } = difference(from, to);
    let rows = |rows: &[&Row]| rows.iter().map(|row| row_json(row)).collect::<Vec<_>>();
    let apis = apis
        .iter()
        .map(|(api, old, new)| value!({ "api": format!("{api:?}"), "from": old, "to": new }));
    let defaults = defaults.iter().map(|ChangedDefault { owner, name, from, to }| {
        let (from, to) = (from.map(|value| value.to_string()), to.map(|value| value.to_string()));
        value!({ "owner": owner, "name": name, "from": from, "to": to })
    });
    let differs = value!({
        "from": from.to_string(),
        "to": to.to_string(),
        "only_in_from": rows(&went),
        "only_in_to": rows(&came),
        "highest_api_versions": apis.collect::<Vec<_>>(),
        "defaults": defaults.collect::<Vec<_>>(),
    });
    document(&differs, [of_build(build)])
}

fn of_build(build: Build) -> (&'static str, Value) {
    ("sim", serde_json::to_value(build).expect("a build is plain data"))
}

fn row_json(row: &Row) -> Value {
    let shown = match row.shown {
        Shown::Scenario(name) => value!({ "scenario": name }),
        Shown::Test(name) => value!({ "test": name }),
    };
    value!({
        "name": row.name,
        "first": row.period.first.to_string(),
        "last": row.period.last.map(|last| last.to_string()),
        "source": row.source,
        "sentence": row.sentence,
        "shown": shown,
    })
}

/// The rows that a run of `kafka` asked for, and whether the release has them.
pub fn releases_asked(kafka: KafkaVersion, asked: Asked, style: Style) -> String {
    let mut out = String::new();
    exercised(&mut out, kafka, asked, style).expect("a string takes everything");
    out
}

fn exercised(out: &mut String, kafka: KafkaVersion, asked: Asked, style: Style) -> fmt::Result {
    let rows: Vec<&Row> = asked.iter().map(|change| change.row()).collect();
    let heading = format!(
        "kafka {kafka}: the nodes asked for {} of {} differences between releases",
        rows.len(),
        TABLE.len()
    );
    writeln!(out, "{}", style.paint(Paint::Heading, heading))?;
    let widest = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in rows {
        let (mark, paint) = match row.period.contains(kafka) {
            true => ("yes", Paint::Good),
            false => ("no ", Paint::Faint),
        };
        let mark = style.paint(paint, mark);
        writeln!(out, "  {mark}  {:<widest$}  {}", row.name, period(row.period))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::BUILD;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).expect("one document")
    }

    #[test]
    fn json_has_every_row_and_what_differs() {
        let all = read(&releases_json(BUILD));
        let rows = all["differences"].as_array().expect("rows");
        assert_eq!(rows.len(), TABLE.len());
        let first = &TABLE[0];
        assert_eq!(
            (&rows[0]["name"], &rows[0]["source"]),
            (&first.name.into(), &first.source.into())
        );

        let (from, to) = (KafkaVersion::patched(2, 0, 1), KafkaVersion::patched(2, 8, 2));
        let Difference { came, went, apis, defaults } = difference(from, to);
        let differs = read(&releases_difference_json(from, to, BUILD));
        assert_eq!((&differs["from"], &differs["to"]), (&"2.0.1".into(), &"2.8.2".into()));
        let count = |key: &str| differs[key].as_array().map(Vec::len);
        let counts = ["only_in_to", "only_in_from", "highest_api_versions", "defaults"].map(count);
        let lengths = [came.len(), went.len(), apis.len(), defaults.len()];
        assert_eq!(counts, lengths.map(Some));
        assert_eq!(differs["schema"], super::super::json::SCHEMA);
    }
}
