//! `sim releases`.

use super::format::Format;
use super::{Exit, Failure, Streams};
use crate::releases::KafkaVersion;
use crate::report;
use crate::run::BUILD;

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
    /// Report as text or as one JSON document.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

pub(super) fn releases(args: &Args, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let text = match (args.from.zip(args.to), args.format) {
        (None, Format::Text) => report::releases(streams.out_style),
        (None, Format::Json) => report::releases_json(BUILD),
        (Some((from, to)), Format::Text) => {
            report::releases_difference(from, to, streams.out_style)
        }
        (Some((from, to)), Format::Json) => report::releases_difference_json(from, to, BUILD),
    };
    streams.out.write_all(text.as_bytes())?;
    Ok(Exit::Held)
}
