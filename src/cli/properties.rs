//! `sim properties`.

use super::{Exit, Failure, Streams};
use crate::checkers::{Class, PROPERTIES};
use crate::report::Paint;

/// List the properties that every run is judged by, with their sources.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn properties(streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    for property in PROPERTIES {
        let class = match property.class {
            Class::Safety => "safety",
            Class::Liveness => "liveness",
        };
        writeln!(
            streams.out,
            "{}  {class}",
            streams.out_style.paint(Paint::Heading, property.name)
        )?;
        for (label, text) in [
            ("rule", property.statement),
            ("source", property.source),
            ("leaves out", property.leaves_out),
        ] {
            writeln!(streams.out, "  {label:<10}  {text}")?;
        }
    }
    writeln!(streams.out, "{} properties", PROPERTIES.len())?;
    Ok(Exit::Held)
}
