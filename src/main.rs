//! The `sim` command.

use std::process::ExitCode;

use kafka_sim::cli::{self, Engine};
use kafka_sim::run;

fn main() -> ExitCode {
    cli::main(Engine { run: run::run_one, check: run::check, now: run::now })
}
