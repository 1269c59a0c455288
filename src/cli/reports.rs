//! `--reports` and `--no-report`.

use std::io;
use std::path::PathBuf;

use super::Streams;
use crate::run::{self, REPORTS, Ran};

/// Where failures are written.
#[derive(Debug, clap::Args)]
pub struct Reports {
    /// Write failures to DIR, as SCENARIO-SEED.toml.
    #[arg(long = "reports", value_name = "DIR", default_value = REPORTS)]
    pub folder: PathBuf,
    /// Write no failure.
    #[arg(long, conflicts_with = "folder")]
    pub no_report: bool,
}

impl Reports {
    /// Writes a file if the run failed. When that cannot be, the answer is worth no less: it is said on
    /// stderr, and nothing else changes.
    pub fn write(&self, ran: &Ran, streams: &mut Streams<'_>) -> Option<PathBuf> {
        if self.no_report {
            return None;
        }
        match run::write_failure(ran, &self.folder) {
            Ok(file) => file,
            Err(unwritable) => {
                // When stderr is gone too, there is nobody to tell.
                let _: io::Result<()> = writeln!(streams.err, "{unwritable}");
                None
            }
        }
    }
}
