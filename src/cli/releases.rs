//! `sim releases`.

use super::{Exit, Failure, Streams};
use crate::releases::KafkaVersion;
use crate::report;

/// List the differences between Kafka releases, or compare two releases.
///
/// A release is 2.8.1, or 2.8 for the newest patch of that line.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The first release.
    #[arg(value_name = "FROM", requires = "to")]
    pub from: Option<KafkaVersion>,
    /// The second release.
    #[arg(value_name = "TO")]
    pub to: Option<KafkaVersion>,
}

pub(super) fn releases(args: &Args, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let text = match args.from.zip(args.to) {
        None => report::releases(streams.out_style),
        Some((from, to)) => report::releases_difference(from, to, streams.out_style),
    };
    streams.out.write_all(text.as_bytes())?;
    Ok(Exit::Held)
}
