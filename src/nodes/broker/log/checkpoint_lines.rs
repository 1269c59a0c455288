//! The form that all checkpoint files share: version 0, a count, and that many lines of fields.

/// A checkpoint file that is not of the published form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of a checkpoint file is malformed")]
pub struct CheckpointError {
    /// The line, from 1.
    pub line: usize,
}

/// Reads a checkpoint file; `entry` gets the number of each line, from 1, and its fields.
pub(super) fn read_lines(
    text: &str,
    mut entry: impl FnMut(usize, &[&str]) -> Result<(), CheckpointError>,
) -> Result<(), CheckpointError> {
    let mut lines = text.lines();
    if lines.next() != Some("0") {
        return Err(CheckpointError { line: 1 });
    }
    let count: usize =
        lines.next().and_then(|line| line.parse().ok()).ok_or(CheckpointError { line: 2 })?;
    for number in 0..count {
        let line = number + 3;
        let text = lines.next().ok_or(CheckpointError { line })?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        entry(line, &fields)?;
    }
    Ok(())
}
