//! The layer table of `src/lib.rs`, held against what the code imports.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{SourceFile, root, sources};

/// Folder → folders it may import.
type Table = BTreeMap<String, BTreeSet<String>>;

/// Folders that are not of the library.
const TARGETS: [&str; 3] = ["", "tests", "benches"];

/// Reads rows such as ``//! | 2 | `nodes` | pure state machines | vocab, wire |``.
fn table(lib: &str) -> Table {
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! |"));
    let mut table = Table::new();
    for row in rows {
        let cells: Vec<_> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [_, folder, _, may_import] = cells[..] else { panic!("a row of four cells: {row}") };
        let Some(folder) = folder.strip_prefix('`').and_then(|f| f.strip_suffix('`')) else {
            continue;
        };
        let imports = may_import.split(',').map(str::trim).filter(|import| *import != "—");
        table.insert(folder.to_owned(), imports.map(str::to_owned).collect());
    }
    table
}

/// What only the test files of a layer may import: the unit tests of roles run them in the substrate's world.
const TESTS_ONLY: [(&str, &str); 1] = [("nodes", "substrate")];

/// Whether a path is that of a test file: in a folder `tests` or `testing`, or `tests.rs`, `…_tests.rs`.
fn is_test_file(path: &str) -> bool {
    let mut folders = path.split('/').collect::<Vec<_>>();
    let file = folders.pop().expect("a path has a last part");
    folders.iter().any(|folder| ["tests", "testing"].contains(folder))
        || file == "tests.rs"
        || file.ends_with("_tests.rs")
}

/// The folders that a text names as `crate::folder`.
fn imports(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &line[at + "crate::".len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            found.insert(&rest[..end.unwrap_or(rest.len())]);
        }
    }
    found.remove("");
    found
}

/// The imports of a file that the table does not allow.
fn wrong_ways(table: &Table, file: &SourceFile) -> Vec<String> {
    let layer = file.layer();
    let allowed = &table[layer];
    let is_test = is_test_file(&file.path);
    let wrong = imports(&file.text).into_iter().filter(|import| {
        let tests_may = is_test && TESTS_ONLY.contains(&(layer, *import));
        table.contains_key(*import) && *import != layer && !allowed.contains(*import) && !tests_may
    });
    wrong.map(|import| format!("{}: {layer} may not import {import}", file.path)).collect()
}

fn library() -> Vec<SourceFile> {
    let files = sources().into_iter();
    files.filter(|file| !TARGETS.contains(&file.layer()) && file.path != "src/build.rs").collect()
}

fn real_table() -> Table {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).expect("the crate's root");
    table(&lib)
}

#[test]
fn imports_point_down_the_layer_table() {
    let table = real_table();
    let wrong: Vec<_> = library().iter().flat_map(|file| wrong_ways(&table, file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines that declare a module of tests without `#[cfg(test)]` above.
fn undeclared_tests(text: &str) -> Vec<String> {
    let is_tests = |line: &str| {
        let name = line.strip_suffix(';').and_then(|line| line.split_once("mod ")).map(|of| of.1);
        name.is_some_and(|name| is_test_file(&format!("{name}.rs")) || name == "testing")
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = |at: usize| {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        above.into_iter().any(|line| *line == "#[cfg(test)]")
    };
    let wrong = (0..lines.len()).filter(|at| is_tests(lines[*at]) && !declared(*at));
    wrong.map(|at| lines[at].to_owned()).collect()
}

#[test]
fn test_files_are_compiled_for_tests_only() {
    for file in library() {
        let wrong = undeclared_tests(&file.text);
        assert!(wrong.is_empty(), "{}: {wrong:?} without #[cfg(test)]", file.path);
    }
}

#[test]
fn every_folder_has_a_row() {
    let table = real_table();
    for file in library() {
        assert!(table.contains_key(file.layer()), "{} is of no layer", file.path);
    }
    for (folder, imports) in &table {
        for import in imports {
            assert!(table.contains_key(import), "{folder} may import {import}, which has no row");
        }
    }
}

#[test]
fn the_table_has_no_cycle() {
    let table = real_table();
    let mut placed = BTreeSet::new();
    while placed.len() < table.len() {
        let next = table.iter().find(|(folder, imports)| {
            !placed.contains(*folder) && imports.iter().all(|import| placed.contains(import))
        });
        let Some((folder, _)) = next else { panic!("a cycle above {placed:?}") };
        placed.insert(folder.clone());
    }
}

#[test]
fn only_the_substrate_names_madsim() {
    for file in library().iter().filter(|file| file.layer() != "substrate") {
        let code = file.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(!line.contains("madsim::"), "{} names madsim: {line}", file.path);
        }
    }
}

#[test]
fn a_wrong_import_is_seen() {
    let lib = "//! | layer | folder | what | may import |\n//! |--:|---|---|---|\n\
               //! | 0 | `vocab` | words | — |\n//! | 1 | `nodes` | roles | vocab |\n\
               //! | 2 | `checkers` | verdicts | vocab |\n";
    let table = table(lib);
    assert_eq!(table.len(), 3);
    let file = |text: &str| SourceFile { path: "src/checkers/x.rs".into(), text: text.into() };
    assert!(wrong_ways(&table, &file("use crate::vocab::Time;\n// crate::nodes\n")).is_empty());
    for text in ["use crate::nodes::X;", "    let x: crate::nodes::X;", "pub(in crate::nodes) x"] {
        assert_eq!(
            wrong_ways(&table, &file(text)),
            ["src/checkers/x.rs: checkers may not import nodes"]
        );
    }
}

#[test]
fn only_test_files_of_nodes_may_import_the_substrate() {
    let lib = "//! | 1 | `substrate` | world | — |\n//! | 1 | `nodes` | roles | — |\n\
               //! | 2 | `cli` | verbs | nodes |\n";
    let table = table(lib);
    let file = |path: &str| SourceFile { path: path.into(), text: "use crate::substrate;".into() };
    for test in ["testing/rig.rs", "broker/replica/tests/acks.rs", "tests.rs", "log_tests.rs"] {
        assert!(wrong_ways(&table, &file(&format!("src/nodes/{test}"))).is_empty(), "{test}");
    }
    for product in ["src/nodes/log.rs", "src/nodes/broker/testing.rs", "src/cli/tests.rs"] {
        assert_eq!(wrong_ways(&table, &file(product)).len(), 1, "{product}");
    }
    assert_eq!(undeclared_tests("mod a;\nmod log_tests;\npub mod testing;").len(), 2);
    let declared = "#[cfg(test)]\n#[path = \"x_tests.rs\"]\nmod tests;\n#[cfg(test)]\nmod testing;";
    assert!(undeclared_tests(declared).is_empty());
}
