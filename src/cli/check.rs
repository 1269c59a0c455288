//! `sim check`.

use std::path::PathBuf;

use super::{Engine, Exit, Failure, Streams, say};
use crate::vocab::foreign::Foreign;

/// Read scenarios without running them, and print their mistakes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenarios to read.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

pub(super) fn check(
    args: &Args,
    engine: Engine,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Held;
    for file in &args.files {
        match (engine.load)(file) {
            Ok(_) => writeln!(streams.out, "{}: ok", Foreign(&file.display().to_string()))?,
            Err(error) => {
                let failure = Failure::from(error);
                say(&failure, streams);
                exit = failure.exit();
            }
        }
    }
    Ok(exit)
}
