//! `sim matrix`.

use super::format::Format;
use super::progress::Progress;
use super::reports::Reports;
use super::seeds::Seeds;
use super::sweep::or_fewer;
use super::{Engine, Exit, Failure, Streams};
use crate::report;
use crate::run::matrix::{matrix, runs, within_memory};
use crate::run::{BUILD, Jobs};

/// How many failures are written: those of the first runs that fail.
const FILES_MAX: usize = 20;

/// Measure which records each acks setting loses when a replica fails.
///
/// Runs a small cluster with acks 0, 1 and all, once for each of five faults: the leader crashes, loses power, is
/// partitioned, or is cut from ZooKeeper; a follower is slow. Each cell is compared with what theory says: N must
/// never happen, Y must happen in some seed.
///
/// Exits with 1 when an N happened, with 4 when a Y did not, and like `sim run --seeds` when a run fails for
/// another reason. Ctrl-C prints what is known so far, and exits with 130; a second one ends at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run every seed from FIRST to LAST in each of the 15 cells.
    #[arg(long, value_name = "FIRST..LAST", default_value = "1..25")]
    pub seeds: Seeds,
    /// Run N seeds at a time, if memory allows [default: one for each core].
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    #[command(flatten)]
    pub reports: Reports,
}

pub(super) fn run(args: &Args, engine: Engine, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let Seeds(seeds) = &args.seeds;
    let total = runs((seeds.end() - seeds.start()).saturating_add(1));
    let mut files = Vec::new();
    let mut progress = Progress::new(total, "runs", streams.err_is_terminal);
    let jobs = args.jobs.map_or_else(Jobs::default, Jobs);
    let jobs = or_fewer(within_memory(jobs), streams);
    let stop = (engine.stop)().map_err(Failure::Signals)?;
    let measured = matrix(seeds.clone(), jobs, &stop, |ran| {
        if ran.has_failed() && files.len() < FILES_MAX {
            files.extend(progress.suspend(|| args.reports.write(ran, streams)));
        }
        progress.show(ran);
    });
    progress.clear();
    let report = match args.format {
        Format::Text => report::matrix_text(&measured, &files, streams.out_style),
        Format::Json => report::matrix_json(&measured, &files, BUILD),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(match measured.not_run {
        0 => measured.worst().into(),
        _ => Exit::Stopped,
    })
}
