//! `--reports` and `--no-report`.

use std::path::PathBuf;

use super::Streams;
use crate::run::{self, REPORTS, Ran};

/// Where failures are written.
#[derive(Debug, clap::Args)]
pub struct Reports {
    /// Write failures to DIR, as FOLDER.SCENARIO-SEED.toml.
    #[arg(long = "reports", value_name = "DIR", default_value = REPORTS)]
    pub folder: PathBuf,
    /// Write no failure files.
    #[arg(long, conflicts_with = "folder")]
    pub no_report: bool,
}

impl Reports {
    /// Writes a file if the run failed. When it cannot be written, stderr says so, and the answer stays the same.
    pub fn write(&self, ran: &Ran, streams: &mut Streams<'_>) -> Option<PathBuf> {
        if self.no_report {
            return None;
        }
        match run::write_failure(ran, &self.folder) {
            Ok(file) => file,
            Err(unwritable) => {
                writeln!(streams.err, "{unwritable}").expect("stderr may be gone");
                None
            }
        }
    }
}
