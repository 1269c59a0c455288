//! Failure files: one that is not as it was written is none, and what is read is written back as it was.

use std::fs;
use std::path::Path;

use kafka_sim::run::{Integrity, read_failure};
use kafka_sim::scenario;

use super::driver::Target;

/// The files of the corpus, which failing runs wrote.
fn written() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fuzz/corpus/failure_files");
    let entries = fs::read_dir(folder).expect("there is a corpus");
    entries.map(|entry| fs::read(entry.expect("readable").path()).expect("readable")).collect()
}

#[test]
fn a_file_that_is_not_as_it_was_written_is_no_failure() {
    let target = Target { name: "failure_files", memory: 64 << 20, memory_per_byte: 10_000 };
    let (written, file) = (written(), Path::new(env!("CARGO_TARGET_TMPDIR")).join("failure.toml"));
    target.run(Vec::new(), |input| {
        fs::write(&file, input).expect("room");
        let is_whole = written.iter().any(|whole| whole == input);
        match read_failure(&file, Integrity::Checked) {
            Ok(_) => assert!(is_whole, "a damaged file is read"),
            Err(wrong) => assert!(!is_whole && !wrong.to_string().is_empty(), "{wrong}"),
        }
        let Ok(failure) = read_failure(&file, Integrity::Edited) else { return };
        let again = scenario::parse_failure("again.toml", &scenario::write(&failure));
        assert_eq!(again.unwrap_or_else(|wrong| panic!("{wrong}")), failure);
    });
}
