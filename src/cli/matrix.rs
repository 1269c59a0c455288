//! `sim matrix`.

use std::io;

use super::reports::Reports;
use super::run::Format;
use super::sweep::Seeds;
use super::{Exit, Failure, Streams};
use crate::report::{self, Style};
use crate::run::matrix::{matrix, runs};
use crate::run::{BUILD, Jobs};

/// How many failures are written: those of the first runs that fail.
const FILES_MAX: usize = 20;
/// How often progress is shown, in runs.
const PROGRESS_EVERY: u64 = 10;

/// Measure what each acks loses when a replica fails, beside what is expected.
///
/// A small cluster is run with acks 0, 1 and all, against a leader that crashes, loses power, is
/// partitioned or is cut from ZooKeeper, and against a slow follower. What must never happen (N) must
/// not be seen; what must happen in some seed (Y) must be.
///
/// It exits with 1 when something was seen that must never be, with 4 when nothing was seen of something
/// that must be, and as `sim run --seeds` does when a run fails for another reason.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run every seed from FIRST to LAST in each of the 15 cells.
    #[arg(long, value_name = "FIRST..LAST", default_value = "1..25")]
    pub seeds: Seeds,
    /// Run N seeds at a time, one for each core unless it is given.
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    #[command(flatten)]
    pub reports: Reports,
}

pub(super) fn run(args: &Args, style: Style, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let Seeds(seeds) = &args.seeds;
    let total = runs((seeds.end() - seeds.start()).saturating_add(1));
    let mut files = Vec::new();
    let mut ended = 0;
    let jobs = args.jobs.map_or_else(Jobs::default, Jobs);
    let measured = matrix(seeds.clone(), jobs, |ran| {
        ended += 1;
        if ran.has_failed() && files.len() < FILES_MAX {
            files.extend(args.reports.write(ran, streams));
        }
        if streams.err_is_terminal && (ended % PROGRESS_EVERY == 0 || ended == total) {
            let line = if ended == total { String::new() } else { format!("{ended}/{total} runs") };
            // Nobody needs to know when nobody looks.
            let _: io::Result<()> = write!(streams.err, "\r\x1b[K{line}");
        }
    });
    let report = match args.format {
        Format::Text => report::matrix_text(&measured, &files, style),
        Format::Json => report::matrix_json(&measured, &files, BUILD),
    };
    streams.out.write_all(report.as_bytes())?;
    Ok(measured.worst().into())
}
