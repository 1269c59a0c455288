//! The `sim` command.

use std::process::ExitCode;

use kafka_sim::cli::{self, Engine};
use kafka_sim::{gateway, run};

fn main() -> ExitCode {
    cli::main(Engine {
        run: run::run_one,
        play_back: gateway::play_back,
        serve: gateway::serve,
        check: run::check,
        now: run::now,
    })
}
