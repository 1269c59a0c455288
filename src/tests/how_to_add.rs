//! The README's lists of files for what is added most often, compared with what is there already.

use std::collections::BTreeSet;

use kafka_sim::checkers::PROPERTIES;
use kafka_sim::releases::{Row, TABLE};
use kafka_sim::scenario::faults::{Action, KINDS};
use kafka_sim::vocab::Mutant;

use crate::source::{SourceFile, root, sources};

/// A file or a folder of a list.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    /// A folder ends with `/`: any file in it counts.
    path: String,
    /// Whether every example needs it; the text of others begins with `if`.
    is_needed: bool,
}

impl Entry {
    fn has(&self, path: &str) -> bool {
        path == self.path || (self.path.ends_with('/') && path.starts_with(&self.path))
    }
}

/// The list below a heading of the README: items such as `- [src/x.rs](src/x.rs) if …`.
fn list(readme: &str, heading: &str) -> Vec<Entry> {
    let (_, below) = readme.split_once(&format!("\n**{heading}**")).expect("the heading");
    let items = below.split("\n**").next().expect("at least one piece");
    let items = items.lines().filter(|line| line.starts_with("- ["));
    let entries = items.flat_map(|item| {
        let (links, text) = item.rsplit_once(") ").expect("a link and a text");
        let is_needed = !text.starts_with("if ");
        let paths = links.split("](").skip(1).map(|link| link.split(')').next().unwrap_or(link));
        paths.map(move |path| Entry { path: path.to_owned(), is_needed })
    });
    entries.collect()
}

#[test]
fn lists_are_found() {
    let text = "\n**A.** To add a:\n\n- [src/a/](src/a/) the code\n- [b](b), [d](d) if needed\n\n\
                **B.** b:\n\n- [c](c) x\n";
    let entry = |path: &str, is_needed| Entry { path: path.into(), is_needed };
    let all = [entry("src/a/", true), entry("b", false), entry("d", false)];
    assert_eq!(list(text, "A."), all);
    assert!(entry("src/a/", true).has("src/a/x.rs") && !entry("b", true).has("src/b"));
}

/// Something that was added before: the words by which its files name it, each with the code around it.
struct Example {
    name: String,
    words: Vec<String>,
    /// The file that is its own, or that defines it under another word.
    own: String,
}

/// The code of a file without comments and unit tests; nothing of a file of tests.
fn code(file: &SourceFile) -> String {
    let is_test = ["/tests/", "/tests.rs", "_tests.rs", "/testing.rs"];
    if is_test.iter().any(|part| file.path.contains(part)) {
        return String::new();
    }
    let code = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether `text` has `word`, and not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (starts, ends) = (is_inside(word.chars().next()), is_inside(word.chars().next_back()));
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !(starts && is_inside(before) || ends && is_inside(after))
    })
}

/// What is wrong with a list, by examples that were added before.
fn wrong(list: &[Entry], examples: &[Example], files: &[(String, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Example { name, words, own } in examples {
        let names_it = |text: &str| words.iter().any(|word| has_word(text, word));
        let found = files.iter().filter(|(_, text)| names_it(text)).map(|(path, _)| &**path);
        let found: BTreeSet<&str> = found.chain([&**own]).collect();
        for entry in list.iter().filter(|entry| entry.is_needed) {
            if !found.iter().any(|path| entry.has(path)) {
                wrong.push(format!("{name} is not in {}", entry.path));
            }
        }
        for path in found.iter().filter(|path| !list.iter().any(|entry| entry.has(path))) {
            wrong.push(format!("{name} is in {path}, which is not listed"));
        }
    }
    wrong
}

#[test]
fn a_list_that_lacks_a_file_or_has_one_too_many_is_seen() {
    let files = [("src/a.rs".to_owned(), "x(Kind::One)".to_owned())];
    let example = || Example {
        name: "one".into(),
        words: vec!["Kind::One".into()],
        own: "src/kinds/one.rs".into(),
    };
    let entry = |path: &str, is_needed| Entry { path: path.into(), is_needed };
    let (own, a) = (entry("src/kinds/", true), entry("src/a.rs", true));
    assert_eq!(wrong(&[own, a], &[example()], &files), [""; 0]);
    let (own, b) = (entry("src/kinds/", true), entry("src/b.rs", true));
    let both = ["one is not in src/b.rs", "one is in src/a.rs, which is not listed"];
    assert_eq!(wrong(&[own, b], &[example()], &files), both);
    assert!(!has_word("Kind::OneMore", "Kind::One") && has_word("use one::One", "use one::"));
}

/// Checks the list below `heading`: its files exist, every example is in all of them, and in no other file.
fn check(heading: &str, examples: &[Example]) {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let list = list(&readme, heading);
    assert!(!list.is_empty() && !examples.is_empty(), "{heading}: nothing to compare");
    for Entry { path, .. } in &list {
        assert!(root().join(path).exists(), "{heading}: there is no {path}");
    }
    let files: Vec<_> =
        sources().into_iter().map(|file| (file.path.clone(), code(&file))).collect();
    let wrong = wrong(&list, examples, &files);
    assert!(wrong.is_empty(), "{heading}\n{}", wrong.join("\n"));
}

#[test]
fn a_fault_kind_is_where_the_readme_says() {
    let example = |action: &Action| {
        let name = action.kind().name;
        let module = name.replace('-', "_");
        let variant = format!("{action:?}").split('(').next().unwrap_or_default().to_owned();
        let words = vec![format!("Action::{variant}"), format!("pub use {module}::")];
        let own = format!("src/scenario/faults/{module}.rs");
        Example { name: name.to_owned(), words, own }
    };
    let examples: Vec<_> = Action::blanks().iter().map(example).collect();
    check("A fault kind.", &examples);
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let (_, table) = readme.split_once("\n| fault | effect |\n").expect("the table of faults");
    let table = table.split("\n\n").next().unwrap_or_default();
    for kind in KINDS {
        assert!(table.contains(&format!("`{}`", kind.name)), "the README lacks {}", kind.name);
    }
}

#[test]
fn a_property_is_where_the_readme_says() {
    let folders =
        ["clients", "replication", "controller", "zookeeper", "groups", "transactions", "liveness"];
    let example = |name: &str| {
        let module = name.replace('-', "_");
        let own = |folder: &&str| format!("src/checkers/{folder}/{module}.rs");
        let folder = folders.iter().find(|folder| root().join(own(folder)).exists());
        let folder = folder.unwrap_or_else(|| panic!("{name} has a file of its own"));
        let words = ["(&", "by::<"].map(|before| format!("{before}{folder}::{module}::")).into();
        Example { name: name.to_owned(), words, own: own(folder) }
    };
    let examples: Vec<_> = PROPERTIES.iter().map(|property| example(property.name)).collect();
    check("A property.", &examples);
}

#[test]
fn a_mutant_is_where_the_readme_says() {
    let example = |mutant: &Mutant| Example {
        name: mutant.to_string(),
        words: vec![format!("Mutant::{mutant:?}")],
        own: "src/vocab/mutant.rs".to_owned(),
    };
    let examples: Vec<_> = Mutant::ALL.iter().map(example).collect();
    check("Its mutant.", &examples);
}

#[test]
fn a_difference_between_releases_is_where_the_readme_says() {
    let folder = "src/releases/changes/";
    let files: Vec<_> =
        sources().into_iter().filter(|file| file.path.starts_with(folder)).collect();
    let example = |row: &Row| {
        let begins = format!("{:?}: \"{}\"", row.change, row.name);
        let own = files.iter().find(|file| file.text.contains(&begins));
        Example {
            name: row.name.to_owned(),
            words: vec![format!("Change::{:?}", row.change)],
            own: own.unwrap_or_else(|| panic!("{begins} is in {folder}")).path.clone(),
        }
    };
    let examples: Vec<_> = TABLE.iter().map(example).collect();
    check("A difference between releases.", &examples);
}

#[test]
fn a_kafka_api_is_where_the_readme_says() {
    let apis = ["FindCoordinator", "DescribeCluster", "DescribeConfigs", "ElectLeaders"];
    let examples: Vec<_> = apis
        .iter()
        .map(|api| Example {
            name: (*api).to_owned(),
            words: ["ApiKey", "RequestKind", "ResponseKind"]
                .map(|kind| format!("{kind}::{api}"))
                .into(),
            // Hostile clients send it, too.
            own: "src/gateway/tests/fuzz.rs".to_owned(),
        })
        .collect();
    let fuzz = sources().into_iter().find(|file| file.path == examples[0].own).expect("the file");
    for Example { name, words, .. } in &examples {
        assert!(words.iter().any(|word| has_word(&fuzz.text, word)), "{name} is not sent");
    }
    check("A Kafka API.", &examples);
}

#[test]
fn a_rule_reads_the_kinds_of_events_whose_method_it_has() {
    let kinds = ["Client", "Broker", "ZooKeeper", "Session"];
    for file in sources().iter().filter(|file| file.path.starts_with("src/checkers/")) {
        let code = code(file);
        let Some((_, rule)) = code.split_once("\nimpl Rule for ") else { continue };
        let rule = rule.split("\n}\n").next().unwrap_or(rule);
        let reads = rule.lines().find(|line| line.contains("const READS:")).unwrap_or_default();
        for kind in kinds {
            let has_method = rule.contains(&format!("\n    fn {}(", kind.to_lowercase()));
            assert_eq!(
                has_method,
                reads.contains(&format!("Kind::{kind}")),
                "{} {kind}",
                file.path
            );
        }
    }
}
