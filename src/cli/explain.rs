//! `sim explain`.

use super::{Exit, Failure, Streams};
use crate::releases::KafkaVersion;
use crate::report;
use crate::vocab::foreign::Foreign;

/// Explain a setting of Kafka, a property of runs, a fault or a difference between releases.
///
/// For a setting: what it does, its type, default and range, whether a broker takes it while it runs, and whether the
/// simulation obeys it. Without RELEASE the defaults of all releases are shown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to explain: min.insync.replicas, committed-is-durable, crash.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Show settings as this release has them: 2.8.1, or 2.8 for the newest patch.
    #[arg(value_name = "RELEASE")]
    pub release: Option<KafkaVersion>,
}

pub(super) fn explain(args: &Args, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let Some(text) = report::explain(&args.name, args.release, streams.out_style) else {
        let name = Foreign(&args.name);
        let likely = report::likely(&args.name);
        let hint = likely.map_or_else(String::new, |known| format!("; did you mean {known}?"));
        writeln!(streams.err, "error: nothing is called `{name}`{hint}")?;
        return Ok(Exit::Usage);
    };
    streams.out.write_all(text.as_bytes())?;
    Ok(Exit::Held)
}
