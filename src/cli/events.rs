//! `--events`.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::output::{Escaped, UntilGone};
use super::{Failure, stop};
use crate::run::RunError;
use crate::run::files::Beside;

/// How a file of events begins: with the first event, at the beginning of time.
const BEGINS: &str = "[s 0.000000000 e 1] ";

type Out = Box<dyn Write + Send>;

/// Where events are written; `-` is stdout.
pub(super) fn events(path: Option<&Path>) -> Result<Option<Out>, Failure> {
    let Some(path) = path else { return Ok(None) };
    if path == Path::new("-") || path == Path::new("/dev/stdout") {
        return Ok(Some(lines(UntilGone::new(io::stdout()))));
    }
    let name = || path.display().to_string();
    let create = |source| Failure::Create { path: name(), source };
    match path.metadata() {
        Ok(found) if found.is_dir() => Err(create(io::ErrorKind::IsADirectory.into())),
        // A device or a pipe cannot be replaced.
        Ok(found) if !found.is_file() => {
            let device = File::options().write(true).open(path).map_err(create)?;
            Ok(Some(lines(UntilGone::new(device))))
        }
        Ok(_) if !is_replaceable(path, BEGINS).map_err(create)? => {
            Err(Failure::NotOurs { path: name(), what: "no events" })
        }
        // Where a link leads to events, they are replaced, and the link stays.
        Ok(_) => EventsFile::begin(path.canonicalize().map_err(create)?).map_err(create),
        Err(_) => EventsFile::begin(path.to_owned()).map_err(create),
    }
}

/// Lines, in blocks.
fn lines(out: impl Write + Send + 'static) -> Out {
    Box::new(BufWriter::with_capacity(1 << 16, Escaped::new(out)))
}

/// Whether a file may be replaced by one that begins so: there is none, it is empty, or it begins so, too. What is no
/// file, a device, may.
#[expect(clippy::disallowed_methods, reason = "the options name files of the user's")]
pub(super) fn is_replaceable(path: &Path, begin: &str) -> io::Result<bool> {
    if !path.is_file() {
        return Ok(true);
    }
    let mut begins = Vec::new();
    File::open(path)?.take(begin.len() as u64).read_to_end(&mut begins)?;
    Ok(begins.is_empty() || begins == begin.as_bytes())
}

/// What went wrong in a run, with the name of the file that its events are written to.
pub(super) fn failure(error: RunError, events: Option<&Path>) -> Failure {
    match (error, events) {
        (RunError::Events(source), Some(path)) if path != Path::new("-") => {
            Failure::Write { path: path.display().to_string(), source }
        }
        (RunError::Events(source), _) => Failure::Output(source),
        (error, _) => Failure::Run(error),
    }
}

/// Events on their way to a file. It is there when they are complete; or when the run panics, with all before that.
struct EventsFile {
    path: PathBuf,
    /// None once it is in its place.
    file: Option<Beside>,
    has_failed: bool,
}

impl EventsFile {
    fn begin(path: PathBuf) -> io::Result<Option<Out>> {
        let file = Beside::new(&path)?;
        let unfinished = file.path().to_owned();
        stop::before_signals_end(move || {
            // There may be none any more.
            let _: io::Result<()> = std::fs::remove_file(unfinished);
        })?;
        Ok(Some(lines(Self { path, file: Some(file), has_failed: false })))
    }

    fn keep(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |file| file.keep_at(&self.path))
    }
}

impl Write for EventsFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::Error::other("it is complete")),
        };
        self.has_failed |= written.is_err();
        written
    }

    /// The log is flushed once, at its end.
    fn flush(&mut self) -> io::Result<()> {
        self.keep()
    }
}

impl Drop for EventsFile {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.has_failed {
            // The panic matters more.
            let _: io::Result<()> = self.keep();
        }
    }
}
