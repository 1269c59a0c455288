//! Stops a build that would not be deterministic, with the cure; finds the commit that is built.
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a build script talks to cargo by its environment and its output, and asks git"
)]

use std::path::Path;
use std::process::{Command, Stdio};

/// What the binary is made of, as git has it: a change elsewhere makes no other simulator.
const SOURCES: &[&str] =
    &["src", ":!src/tests", ":!src/benches", "Cargo.toml", "Cargo.lock", ".cargo"];

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    println!("cargo:rerun-if-env-changed=CARGO_CFG_MADSIM");
    if std::env::var_os("CARGO_CFG_MADSIM").is_none() {
        eprintln!(
            "kafka-sim builds only under `--cfg madsim`: build from inside its folder with \
             RUSTFLAGS unset (its .cargo/config.toml sets the flag), or run \
             `RUSTFLAGS=\"--cfg madsim\" cargo build`."
        );
        std::process::exit(1);
    }
    let commit = commit().unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=SIM_COMMIT={commit}");
}

/// `9e1c2ab`, or `9e1c2ab-dirty` when what is built is not what was committed; `None` without git, or when
/// this folder is not the top of a work tree.
fn commit() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::var_os("CARGO_MANIFEST_DIR")?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&here).canonicalize().ok()? {
        return None;
    }
    let hash = git(&["rev-parse", "--short=7", "HEAD"])?;
    // In a work tree of its own, HEAD is elsewhere than the branch that it names.
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name])?;
        // Cargo takes a file that is not there for one that has changed.
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    watch_sources();
    let arguments = ["status", "--porcelain", "--untracked-files=no", "--"];
    let changed = git(&[&arguments[..], SOURCES].concat())?;
    Some(if changed.is_empty() { hash } else { format!("{hash}-dirty") })
}

/// Whatever is compiled into the library can make it dirty; tests and benches cannot.
fn watch_sources() {
    println!("cargo:rerun-if-changed=Cargo.toml");
    let entries = std::fs::read_dir("src").into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if !["src/tests", "src/benches"].iter().any(|other| path == Path::new(other)) {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
}

/// What git says, without the end of its line; `None` when there is no git or it fails.
fn git(arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // It would refresh its index on the way, which is not ours to write.
    git.args(arguments).env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null());
    let said = git.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    said.status.success().then(|| text.trim_end().to_owned())
}
