//! `sim properties`.

use super::{Exit, Failure, Streams};
use crate::checkers::{Class, PROPERTIES};
use crate::report::{Paint, Style};

/// List what every run is judged by, and who says so.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn properties(style: Style, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    for property in PROPERTIES {
        let class = match property.class {
            Class::Safety => "safety",
            Class::Liveness => "liveness",
        };
        writeln!(streams.out, "{}  {class}", style.paint(Paint::Heading, property.name))?;
        for (label, text) in [
            ("states", property.statement),
            ("source", property.source),
            ("leaves out", property.leaves_out),
        ] {
            writeln!(streams.out, "  {label:<10}  {text}")?;
        }
    }
    Ok(Exit::Held)
}
