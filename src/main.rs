//! The `sim` command.

use std::process::ExitCode;

use kafka_sim::cli::{self, Engine};
use kafka_sim::{gateway, run};

fn main() -> ExitCode {
    cli::main(Engine {
        load: run::load,
        read_failure: run::read_failure,
        play: run::play,
        play_back: gateway::play_back,
        serve: gateway::serve,
        many: |plans, jobs, stop, each| run::many(plans, jobs, stop, each),
        stop: cli::on_signals,
        now: run::now,
    })
}
