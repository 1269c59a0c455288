//! Outcome → text, for a terminal of 100 columns.
//!
//! Lines that are sentences (faults, timeline, verdicts) are formatted here; what is a table is a [`Table`].

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

use super::failure;
use super::numbers::{millis, span, thousands};
use super::provenance::Provenance;
use super::style::{Paint, Style, page};
use super::table::Table;
use super::turns::subject_and_text;
use crate::checkers::{
    Expectation, Judged, Judgement, Latency, Occurrence, RunOutcome, Status, Verdict,
};
use crate::model::availability::Gap;
use crate::model::{Fired, Turn};
use crate::vocab::Time;
use crate::vocab::foreign::Foreign;

/// Width of the column of times: `9,999.999s` fits.
const TIME_WIDTH: usize = 10;
/// Width of the first column of verdicts and expectations: the longest is `inconclusive`.
const WORD_WIDTH: usize = 12;
/// Most partitions that are listed; all are in the JSON.
const PARTITIONS_MAX: usize = 5;

/// The outcome as text, ended with a newline.
pub fn text(outcome: &RunOutcome, about: &Provenance, style: Style) -> String {
    page(style, |out, style| Text { out, style }.outcome(outcome, about))
}

/// A client's name; those from outside are marked.
fn client(name: &str, is_external: bool) -> String {
    let is_marked = !is_external || name.ends_with("(outside)");
    if is_marked { name.to_owned() } else { format!("{name} (outside)") }
}

/// `NOT_ENOUGH_REPLICAS 97, REQUEST_TIMED_OUT 1`.
fn refused(errors: &BTreeMap<Arc<str>, u64>) -> String {
    let each = errors.iter().map(|(error, count)| format!("{error} {}", thousands(*count)));
    each.collect::<Vec<_>>().join(", ")
}

struct Text<'a> {
    out: &'a mut String,
    style: Style,
}

impl Text<'_> {
    fn outcome(&mut self, outcome: &RunOutcome, about: &Provenance) -> fmt::Result {
        let judgement = &outcome.judgement;
        self.banner(outcome)?;
        self.faults(judgement)?;
        self.timeline(judgement)?;
        self.commands(judgement)?;
        self.producers(judgement)?;
        self.consumers(judgement)?;
        self.expectations(judgement)?;
        self.verdicts(judgement)?;
        self.close(outcome, about)
    }

    fn heading(&mut self, text: &str) -> fmt::Result {
        writeln!(self.out, "\n{}", self.style.paint(Paint::Heading, text))
    }

    fn banner(&mut self, outcome: &RunOutcome) -> fmt::Result {
        let RunOutcome { scenario, seed, kafka, mutant, simulated, events, .. } = outcome;
        let scenario = self.style.paint(Paint::Heading, Foreign(scenario));
        let (simulated, events) = (millis(*simulated), thousands(*events));
        writeln!(
            self.out,
            "{scenario}  seed {}  kafka {kafka}  {simulated} simulated  {events} events",
            seed.0
        )?;
        if let Some(mutant) = mutant {
            let name = self.style.paint(Paint::Warning, mutant.name());
            writeln!(self.out, "mutant {name}  {}", mutant.wrong())?;
        }
        Ok(())
    }

    fn faults(&mut self, judgement: &Judgement) -> fmt::Result {
        if judgement.faults.is_empty() {
            return Ok(());
        }
        self.heading("faults")?;
        for fault in &judgement.faults {
            write!(self.out, "{:>TIME_WIDTH$}  {}", millis(fault.time), fault.text)?;
            match &fault.no_effect {
                Some(why) => writeln!(self.out, "  (no effect: {why})")?,
                None => writeln!(self.out)?,
            }
        }
        Ok(())
    }

    /// Everything but the faults, which have a block of their own.
    fn timeline(&mut self, judgement: &Judgement) -> fmt::Result {
        let is_fault = |turn: &Turn| matches!(turn, Turn::Fault { .. });
        let lines: Vec<_> = judgement
            .timeline
            .entries
            .iter()
            .filter(|entry| !is_fault(&entry.turn))
            .map(|entry| (millis(entry.time), subject_and_text(&entry.turn)))
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        self.heading("timeline")?;
        let width = lines.iter().map(|(_, (subject, _))| subject.chars().count()).max();
        let width = width.unwrap_or(0);
        for (time, (subject, text)) in lines {
            writeln!(self.out, "{time:>TIME_WIDTH$}  {subject:<width$}  {text}")?;
        }
        if judgement.timeline.omitted > 0 {
            let omitted = thousands(judgement.timeline.omitted);
            let note = format!("{:TIME_WIDTH$}  and {omitted} more", "");
            writeln!(self.out, "{}", self.style.paint(Paint::Faint, note))?;
        }
        Ok(())
    }

    /// Each command after `$`, then what it printed, as a terminal would show it.
    fn commands(&mut self, judgement: &Judgement) -> fmt::Result {
        if judgement.commands.is_empty() {
            return Ok(());
        }
        self.heading("commands")?;
        for given in &judgement.commands {
            writeln!(self.out, "{:>TIME_WIDTH$}  $ {}", millis(given.time), given.command)?;
            given.output.iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
            if given.ended.is_none() {
                let note = format!("{:TIME_WIDTH$}  still running at the end of the run", "");
                writeln!(self.out, "{}", self.style.paint(Paint::Faint, note))?;
            }
        }
        Ok(())
    }

    fn producers(&mut self, judgement: &Judgement) -> fmt::Result {
        if judgement.producers.is_empty() {
            return Ok(());
        }
        let mut table = Table::new([
            "producer",
            "acks",
            "sent",
            "acknowledged",
            "unconfirmed",
            "failed",
            "unknown",
            "unfinished",
            "lost",
            "lost unconfirmed",
            "duplicated",
            "reordered",
            "longest without ack",
        ]);
        let or_unknown = |count: Option<u64>| count.map_or_else(|| "?".into(), thousands);
        for producer in &judgement.producers {
            let gap = producer.longest_gap.map_or_else(
                || "-".into(),
                |gap| {
                    format!(
                        "{} at {}",
                        millis(Time::ZERO + gap.to.since(gap.from)),
                        millis(gap.from)
                    )
                },
            );
            table.row([
                client(&producer.name, producer.is_external),
                producer.acks.to_string(),
                thousands(producer.sent),
                thousands(producer.acknowledged),
                thousands(producer.unconfirmed),
                thousands(producer.failed),
                thousands(producer.unknown),
                thousands(producer.unended),
                or_unknown(producer.lost),
                or_unknown(producer.lost_unconfirmed),
                thousands(producer.duplicated),
                thousands(producer.reordered),
                gap,
            ]);
        }
        for rare in ["unconfirmed", "failed", "unfinished", "lost unconfirmed", "reordered"] {
            table.drop_if_all(rare, "0");
        }
        table.drop_if_all("lost unconfirmed", "?");
        writeln!(self.out)?;
        table.write(self.out, self.style)?;
        self.waits(judgement)
    }

    /// How long producers waited, and what they were refused.
    fn waits(&mut self, judgement: &Judgement) -> fmt::Result {
        let ack = ["ack p50", "ack p99", "ack max"];
        let mut table = Table::new(["producer", ack[0], ack[1], ack[2], "refused"]);
        table.align_left(["refused"]);
        for producer in &judgement.producers {
            let latency = |of: fn(&Latency) -> Time| {
                producer.latency.as_ref().map_or_else(|| "-".into(), |found| span(of(found)))
            };
            table.row([
                client(&producer.name, producer.is_external),
                latency(|found| found.p50),
                latency(|found| found.p99),
                latency(|found| found.max),
                refused(&producer.refused),
            ]);
        }
        table.drop_if_all("refused", "");
        ack.iter().for_each(|column| table.drop_if_all(column, "-"));
        if table.columns() > 1 {
            writeln!(self.out)?;
            table.write(self.out, self.style)?;
        }
        self.partitions(judgement)
    }

    /// The partitions that were without an acknowledgement for longer than every producer was.
    fn partitions(&mut self, judgement: &Judgement) -> fmt::Result {
        let length = |gap: &Gap| gap.to.since(gap.from);
        let gaps = judgement.producers.iter().filter_map(|producer| producer.longest_gap);
        let longest = gaps.map(|gap| length(&gap)).max().unwrap_or_default();
        let mut worse: Vec<_> = judgement.partitions.iter().collect();
        worse.retain(|partition| length(&partition.longest_gap) > longest);
        worse.sort_by_key(|partition| std::cmp::Reverse(length(&partition.longest_gap)));
        if worse.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(["partition", "acknowledged", "longest without ack"]);
        for partition in worse.iter().take(PARTITIONS_MAX) {
            let Gap { from, to } = partition.longest_gap;
            let gap = format!("{} at {}", millis(Time::ZERO + to.since(from)), millis(from));
            table.row([partition.at.to_string(), thousands(partition.acknowledged), gap]);
        }
        writeln!(self.out)?;
        table.write(self.out, self.style)?;
        let more = worse.len().saturating_sub(PARTITIONS_MAX);
        if more > 0 {
            writeln!(self.out, "and {} more", thousands(more as u64))?;
        }
        Ok(())
    }

    fn consumers(&mut self, judgement: &Judgement) -> fmt::Result {
        if judgement.consumers.is_empty() {
            return Ok(());
        }
        let columns = ["consumer", "read", "duplicates", "skipped", "unread", "refused"];
        let mut table = Table::new(columns);
        table.align_left(["refused"]);
        for consumer in &judgement.consumers {
            table.row([
                client(&consumer.name, consumer.is_external),
                thousands(consumer.read),
                thousands(consumer.duplicates),
                thousands(consumer.skipped),
                thousands(consumer.behind),
                refused(&consumer.refused),
            ]);
        }
        table.drop_if_all("refused", "");
        writeln!(self.out)?;
        table.write(self.out, self.style)
    }

    fn expectations(&mut self, judgement: &Judgement) -> fmt::Result {
        if judgement.expectations.is_empty() {
            return Ok(());
        }
        self.heading("expected")?;
        let names = judgement.expectations.iter();
        let width = names.map(|expectation| expectation.happening.name().len()).max().unwrap_or(0);
        for expectation in &judgement.expectations {
            self.expectation(expectation, width)?;
        }
        Ok(())
    }

    fn expectation(&mut self, expectation: &Expectation, width: usize) -> fmt::Result {
        let Expectation { happening, expected, wanted, seen, nothing_to_judge } = expectation;
        let (word, paint) = match (expected, expectation.status()) {
            (Occurrence::Happens | Occurrence::Counted, Status::Held) => ("happened", Paint::Good),
            (Occurrence::Happens, _) => ("missing", Paint::Warning),
            (Occurrence::NeverHappens, Status::Held) => ("never", Paint::Good),
            (Occurrence::NeverHappens | Occurrence::Counted, Status::Inconclusive)
                if nothing_to_judge.is_some() =>
            {
                ("not judged", Paint::Warning)
            }
            (Occurrence::Counted, Status::Inconclusive) => ("too few", Paint::Warning),
            (Occurrence::Counted, _) => ("too many", Paint::Bad),
            (Occurrence::NeverHappens, _) => ("happened", Paint::Bad),
        };
        let word = self.style.paint(paint, word);
        write!(self.out, "  {word:<WORD_WIDTH$}  ")?;
        let limit = wanted.as_ref().map(|wanted| format!(", expected {wanted}"));
        let limit = limit.unwrap_or_default();
        let Some(seen) = seen else {
            return match nothing_to_judge {
                Some(why) => writeln!(self.out, "{happening:<width$}  {why}{limit}"),
                None if limit.is_empty() => writeln!(self.out, "{happening}"),
                None => writeln!(self.out, "{happening:<width$}  not once{limit}"),
            };
        };
        let times = if seen.count == 1 { "once, at" } else { "times, first at" };
        let count = if seen.count == 1 { String::new() } else { thousands(seen.count) + " " };
        let unwanted = match expected {
            Occurrence::Happens | Occurrence::Counted => "",
            Occurrence::NeverHappens => ", but must not happen",
        };
        let first = millis(seen.first);
        writeln!(self.out, "{happening:<width$}  {count}{times} {first}{limit}{unwanted}")
    }

    /// Properties that hold are one line, those that are permitted to fail or inconclusive are listed. What failed
    /// the run comes at the end, next to the command that runs it again.
    fn verdicts(&mut self, judgement: &Judgement) -> fmt::Result {
        writeln!(self.out)?;
        let (held, mut judged): (Vec<_>, Vec<_>) =
            judgement.verdicts.iter().partition(|judged| matches!(judged.verdict, Verdict::Holds));
        let (idle, held): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|judged| judged.nothing_to_judge.is_some());
        let word = self.style.paint(Paint::Good, "holds");
        let is_all = judged.is_empty() && idle.is_empty();
        let which = if is_all { "all properties" } else { "all other properties" };
        if !held.is_empty() {
            writeln!(self.out, "{word:<WORD_WIDTH$}  {which}")?;
        }
        self.nothing_to_judge(&idle, judgement.not_followed)?;
        judged.retain(|judged| judged.status() < Status::NotConverged);
        judged.sort_by_key(|judged| judged.status());
        let names = judged.iter().map(|judged| judged.property.name.len());
        let width = names.max().unwrap_or(0);
        let mut shown = Vec::new();
        judged.into_iter().try_for_each(|judged| self.verdict(judged, width, &mut shown))
    }

    /// Why properties had nothing to look at, in one line. Their number is not in it, so that another property changes
    /// no report of a run that it does not concern.
    fn nothing_to_judge(&mut self, idle: &[&Judged], not_followed: u64) -> fmt::Result {
        let word = self.style.paint(Paint::Faint, "not judged");
        if not_followed > 0 {
            let count = thousands(not_followed);
            writeln!(
                self.out,
                "{word:<WORD_WIDTH$}  {count} records of clients from outside: too many to follow"
            )?;
        }
        let mut reasons: Vec<&str> = Vec::new();
        for judged in idle {
            let why = judged.nothing_to_judge.as_deref().unwrap_or_default();
            if !reasons.contains(&why) {
                reasons.push(why);
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        // What the scenario itself has or lacks tells the least.
        let of_scenario =
            ["no consumer", "no idempotent producer", "no transactional producer", "ZooKeeper"];
        reasons.sort_by_key(|why| of_scenario.iter().any(|start| why.starts_with(start)));
        writeln!(self.out, "{word:<WORD_WIDTH$}  some properties: {}", reasons.join(", "))
    }

    fn verdict(&mut self, judged: &Judged, width: usize, shown: &mut Vec<Fired>) -> fmt::Result {
        let name = judged.property.name;
        match &judged.verdict {
            Verdict::Holds => Ok(()),
            Verdict::Inconclusive(why) => {
                let word = self.style.paint(Paint::Warning, "inconclusive");
                writeln!(self.out, "{word:<WORD_WIDTH$}  {name:<width$}  {why}")
            }
            Verdict::Violated(evidence) => {
                let word = self.style.paint(Paint::Warning, "permitted");
                writeln!(self.out, "{word:<WORD_WIDTH$}  {name:<width$}  {evidence}")?;
                failure::why(self.out, evidence, shown)
            }
        }
    }

    fn close(&mut self, outcome: &RunOutcome, about: &Provenance) -> fmt::Result {
        let status = outcome.judgement.status();
        writeln!(self.out)?;
        let paint = match status {
            Status::Held => Paint::Good,
            Status::Inconclusive => Paint::Warning,
            Status::NotConverged | Status::Violated => {
                return failure::block(self.out, outcome, about, self.style);
            }
        };
        let fingerprint = outcome.fingerprint;
        let replay = about.replay.clone().unwrap_or_else(|| outcome.replay());
        writeln!(self.out, "{:<WORD_WIDTH$}  {}", "outcome", self.style.paint(paint, status))?;
        writeln!(self.out, "{:<WORD_WIDTH$}  {fingerprint}", "fingerprint")?;
        writeln!(self.out, "{:<WORD_WIDTH$}  {replay}", "replay")
    }
}
