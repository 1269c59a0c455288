//! Every mutant is found, and the table of which checker finds which is as it was.

use kafka_sim::report::{self, Style};
use kafka_sim::run::Stop;
use kafka_sim::run::mutants::{MUTANT_CASES, run_cases};
use kafka_sim::vocab::Mutant;

use crate::source::root;

#[test]
fn every_mutant_is_found_by_some_checker() {
    let hunt = run_cases(&root().join("scenarios"), 1, &Stop::default());
    let hunt = hunt.expect("the scenarios are right");
    assert_eq!(hunt.not_run, 0);
    for result in &hunt.results {
        assert!(result.found > 0, "not found by: {}", result.case.command());
    }
    let table = report::mutants_table(&hunt, Style::Plain);
    insta::with_settings!({
        snapshot_path => "../../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("mutants", table);
    });
}

#[test]
fn every_mutant_has_a_scenario_that_shows_it() {
    for mutant in Mutant::ALL {
        assert!(MUTANT_CASES.iter().any(|case| case.mutant == *mutant), "{mutant}");
    }
}

#[test]
fn cases_are_in_the_order_of_the_mutants() {
    assert!(MUTANT_CASES.is_sorted_by_key(|case| case.mutant));
}
