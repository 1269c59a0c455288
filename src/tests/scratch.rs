//! Folders that tests may write to, and reports that tests may compare.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::root;

/// An empty folder of that name below `target/`, but for the repository's scenarios.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("what an earlier test left can go");
    }
    fs::create_dir_all(folder.join("scenarios")).expect("a new folder");
    for entry in fs::read_dir(root().join("scenarios")).expect("there are scenarios") {
        let path = entry.expect("readable").path();
        let to = folder.join("scenarios").join(path.file_name().expect("it has a name"));
        fs::copy(&path, to).expect("a copy");
    }
    folder
}

/// `text` with the commit of every `(…, sim 0.1.0, 9e1c2ab)` at the end of a line replaced: it is another after
/// each commit, and all else stays.
pub fn without_commit(text: &str) -> String {
    let plain = |line: &str| match line.rsplit_once("sim ").and_then(|(before, build)| {
        let (version, _) = build.strip_suffix(')')?.split_once(", ")?;
        Some(format!("{before}sim {version}, COMMIT)\n"))
    }) {
        Some(line) => line,
        None => format!("{line}\n"),
    };
    text.lines().map(plain).collect()
}

#[test]
fn only_the_commit_is_taken_out() {
    let text = |commit: &str| {
        let build = format!("(fingerprint 5f, sim 0.1.0, {commit})");
        format!("  replay  sim run x.toml --seed 7        {build}\nsim run, and sim again\n")
    };
    assert_eq!(without_commit(&text("9e1c2ab-dirty")), text("COMMIT"));
}
