//! `-v`: what brokers, servers and clients would log, with virtual time and the node's name, to stderr.

use std::fmt;
use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::vocab::Time;

/// Shows when in virtual time, and where.
struct Now(fn() -> (Time, String));

impl FormatTime for Now {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let (time, node) = (self.0)();
        write!(out, "{time} {node}")
    }
}

/// Begins to show what is logged; more of it with every `-v`.
pub fn start(verbose: u8, color: bool, now: fn() -> (Time, String)) {
    let level = match verbose {
        0 => return,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("kafka_sim={level}")))
        .with_timer(Now(now))
        .with_ansi(color)
        .with_writer(io::stderr)
        .try_init();
    // Only a second call in one process fails, and then what is logged is shown already.
    drop(started);
}
