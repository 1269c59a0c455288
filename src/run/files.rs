//! Files: written beside and renamed, so that a name is that of a whole file or of none; read up to a bound.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// What a scenario or a failure file may hold, in bytes; the largest cluster takes a hundredth of it.
const READ_MAX: u64 = 16 << 20;

/// How many characters of a file's name are in the one that it has while it is written.
const NAME_SHOWN: usize = 40;

/// A file in the making: beside its place, under a name that begins with a dot. It is removed when it is dropped.
#[derive(Debug)]
pub struct Beside(NamedTempFile);

impl Beside {
    /// Begins a file that is to be at `path`.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        // A name may have 255 bytes, and this one is longer.
        let name: String = name.to_string_lossy().chars().take(NAME_SHOWN).collect();
        let prefix = format!(".{name}.");
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(".part");
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        builder.tempfile_in(folder.unwrap_or(Path::new("."))).map(Self)
    }

    /// Where it is until it is moved.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Moves it to `path`: replaces a file or a link that is there, and follows none.
    ///
    /// # Errors
    /// Those of the operating system; then nothing has changed at `path`.
    pub fn keep_at(self, path: &Path) -> io::Result<()> {
        self.0.persist(path).map(drop).map_err(|failed| failed.error)
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes a file as a whole.
///
/// # Errors
/// Those of the operating system; then nothing has changed at `path`.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Beside::new(path)?;
    file.write_all(bytes)?;
    // A file system that reserves no room when it is written to says here that there is none.
    file.0.as_file().sync_all()?;
    file.keep_at(path)
}

/// Reads a text; a file without an end, such as a device, is an error.
///
/// # Errors
/// Those of the operating system; [`io::ErrorKind::FileTooLarge`], [`io::ErrorKind::InvalidData`] for what is no text.
#[expect(clippy::disallowed_methods, reason = "`run` reads scenarios")]
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > READ_MAX {
        let why = format!("it has more than {} MiB", READ_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("readable").file_name();
        entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_there_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let mut begun = Beside::new(&path).expect("a file");
        begun.write_all(b"half").expect("room");
        assert!(!path.exists());
        drop(begun);
        assert_eq!(names(folder.path()), [""; 0]);
        write_whole(&path, b"whole").expect("room");
        write_whole(&path, b"again").expect("room");
        assert_eq!(names(folder.path()), ["x"]);
        assert_eq!(read_text(&path).expect("it was written"), "again");
        let long = folder.path().join("ü".repeat(127));
        write_whole(&long, b"").expect("a name that is as long as one can be");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, other) = (folder.path().join("link"), folder.path().join("other"));
        write_whole(&other, b"precious").expect("room");
        std::os::unix::fs::symlink(&other, &link).expect("a link");
        write_whole(&link, b"new").expect("room");
        assert_eq!(read_text(&other).expect("it is as it was"), "precious");
        assert_eq!(read_text(&link).expect("it was written"), "new");
        assert!(link.symlink_metadata().expect("it is there").is_file());
    }

    #[test]
    fn what_has_no_end_or_is_no_text_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        write_whole(&path, b"\xff").expect("room");
        let kind = |path: &Path| read_text(path).expect_err("no text").kind();
        assert_eq!(kind(&path), io::ErrorKind::InvalidData);
        assert_eq!(kind(Path::new("/dev/zero")), io::ErrorKind::FileTooLarge);
    }
}
