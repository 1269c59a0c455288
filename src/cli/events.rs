//! `--events`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Failure;

/// Where events are written; `-` is stdout.
#[expect(clippy::disallowed_methods, reason = "`--events` names a file of the user's")]
pub(super) fn events(path: Option<&Path>) -> Result<Option<Box<dyn Write + Send>>, Failure> {
    let Some(path) = path else { return Ok(None) };
    if path.as_os_str() == "-" {
        return Ok(Some(Box::new(BufWriter::with_capacity(1 << 16, io::stdout()))));
    }
    let file = File::create(path)
        .map_err(|source| Failure::Create { path: path.display().to_string(), source })?;
    Ok(Some(Box::new(BufWriter::with_capacity(1 << 16, file))))
}
