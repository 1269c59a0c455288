//! The source tree, as the structural tests see it.

use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file.
pub struct SourceFile {
    /// Its path from the root of the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// The folder below `src` that it belongs to; empty for the files directly in it.
    pub fn layer(&self) -> &str {
        let below = self.path.strip_prefix("src/").expect("all sources are in src");
        below.split_once('/').map_or("", |(folder, _)| folder)
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file, by path.
pub fn sources() -> Vec<SourceFile> {
    let mut files = Vec::new();
    walk(&root().join("src"), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the crate's root is found");
    files
}

fn walk(folder: &Path, files: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("readable text");
            let relative = path.strip_prefix(root()).expect("below the root");
            let path = relative.to_str().expect("a plain name").replace('\\', "/");
            files.push(SourceFile { path, text });
        }
    }
}
