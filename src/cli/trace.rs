//! `-v`: the logs of brokers, servers and clients, with virtual time and the node's name, to stderr.

use std::fmt;
use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::report::Style;
use crate::vocab::Time;

/// Shows when in virtual time, and where.
struct Now(fn() -> (Time, String));

impl FormatTime for Now {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let (time, node) = (self.0)();
        write!(out, "{time} {node}")
    }
}

/// Starts to show logs; more of them with every `-v`.
pub fn start(verbose: u8, style: Style, now: fn() -> (Time, String)) {
    let level = match verbose {
        0 => return,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("kafka_sim={level}")))
        .with_timer(Now(now))
        .with_ansi(style == Style::Colour)
        .with_writer(io::stderr)
        .try_init();
    // Only a second call in one process fails, and then logs are shown already.
    drop(started);
}
