//! The table of releases, held against the source tree.

use kafka_sim::releases::{Shown, TABLE};

use crate::source::{root, sources};

#[test]
fn every_row_is_shown_by_a_scenario_or_a_test_that_exists() {
    let sources = sources();
    for row in TABLE {
        match row.shown {
            Shown::Scenario(name) => {
                let file = root().join("scenarios").join(format!("{name}.toml"));
                assert!(file.is_file(), "{}: there is no {}", row.name, file.display());
            }
            Shown::Test(name) => {
                let test = format!("#[test]\nfn {name}()");
                let is_there = |text: &str| text.replace("\n    fn", "\nfn").contains(&test);
                let found = sources.iter().any(|file| is_there(&file.text));
                assert!(found, "{}: there is no test {name}", row.name);
            }
        }
    }
}

#[test]
fn every_row_is_asked_for() {
    let sources = sources();
    for row in TABLE {
        let asked = format!("Change::{:?}", row.change);
        let asks = |text: &str| {
            let uses = text.match_indices(&asked).map(|(at, _)| text[at + asked.len()..].chars());
            uses.filter_map(|mut after| after.next()).any(|next| !next.is_alphanumeric())
        };
        let mut code = sources.iter().filter(|file| !file.path.contains("test"));
        assert!(code.any(|file| asks(&file.text)), "nothing asks for {}", row.name);
    }
}

#[test]
fn only_the_table_compares_releases() {
    for file in sources().iter().filter(|file| file.layer() != "releases") {
        let compares = file.path != "src/tests/releases.rs" && file.text.contains("at_least(");
        assert!(!compares, "{} compares releases", file.path);
    }
}
