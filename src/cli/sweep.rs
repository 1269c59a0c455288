//! `sim run --seeds`.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use super::chosen::Chosen;
use super::format::Format;
use super::progress::Progress;
use super::reports::Reports;
use super::seeds::Seeds;
use super::{Engine, Exit, Failure, Streams};
use crate::report::{self, Files};
use crate::run::{BUILD, Fewer, Jobs, Ran, Tally};
use crate::scenario::Plan;
use crate::vocab::Seed;

/// How many failures a sweep writes: those of the first seeds that fail.
const FILES_MAX: usize = 20;

/// Options of a sweep.
pub(super) struct Options<'a> {
    pub chosen: &'a Chosen,
    pub seeds: &'a Seeds,
    /// One for each core when there is none.
    pub jobs: Option<NonZeroUsize>,
    pub format: Format,
    pub reports: &'a Reports,
}

pub(super) fn sweep(
    options: &Options<'_>,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let Options { chosen, seeds: Seeds(seeds), jobs, format, reports } = options;
    let scenario = (engine.load)(&chosen.scenario)?;
    let jobs = jobs.map_or_else(Jobs::default, Jobs);
    let jobs = or_fewer(jobs.within_memory(&scenario), streams);
    let stop = (engine.stop)().map_err(Failure::Signals)?;
    let mut tally = Tally::new(scenario.file_name(), seeds);
    let mut files = Files::default();
    let total = (seeds.end() - seeds.start()).saturating_add(1);
    let mut progress = Progress::new(total, "seeds", streams.err_is_terminal);
    let each = &mut |ran: Ran| {
        tally.add(&ran);
        if ran.has_failed() && !reports.no_report {
            match files.written.len() {
                FILES_MAX => files.left_out += 1,
                _ => files.written.extend(progress.suspend(|| reports.write(&ran, streams))),
            }
        }
        progress.show(&ran);
        ControlFlow::Continue(())
    };
    let plan = |seed| {
        let plan = scenario.plan(Seed(seed));
        Plan { mutant: chosen.mutant.or(plan.mutant), ..plan }
    };
    (engine.many)(&mut seeds.clone().map(plan), jobs, &stop, each);
    progress.clear();
    let sweep = tally.finish();
    let report = match format {
        Format::Text => report::sweep_text(&sweep, &files, BUILD, streams.out_style),
        Format::Json => report::sweep_json(&sweep, &files, BUILD),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(match sweep.not_run() {
        0 => sweep.worst().into(),
        _ => Exit::Stopped,
    })
}

/// The jobs that memory allows; when these are fewer, stderr says so.
pub(super) fn or_fewer(jobs: Result<Jobs, Fewer>, streams: &mut Streams<'_>) -> Jobs {
    jobs.unwrap_or_else(|fewer| {
        writeln!(streams.err, "{fewer}").expect("stderr may be gone");
        fewer.jobs
    })
}
