//! `sim check`.

use std::path::PathBuf;

use super::{Engine, Exit, Failure, Streams, say};
use crate::run::DEFAULT_SEED;
use crate::scenario;
use crate::vocab::foreign::Foreign;

/// Print mistakes in scenarios, and warnings, without running them.
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
            Ok(scenario) => {
                let name = file.display().to_string();
                let name = Foreign(&name);
                for warning in scenario::warnings(&scenario.plan(DEFAULT_SEED)) {
                    writeln!(streams.out, "{name}: warning: {}", Foreign(&warning))?;
                }
                writeln!(streams.out, "{name}: ok")?;
            }
            Err(error) => {
                let failure = Failure::from(error);
                say(&failure, streams);
                exit = failure.exit();
            }
        }
    }
    Ok(exit)
}
