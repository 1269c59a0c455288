//! The same seed gives the same run, in another process, event by event. This runs before any other test:
//! while it fails, no seed means anything.
#![expect(clippy::disallowed_methods, reason = "tests read the source tree and start the binary")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kafka_sim::run;

/// Seeds besides the scenario's own.
const SEEDS: [u64; 2] = [1, 7];

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(folder).expect("there is a folder of scenarios");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(!paths.is_empty(), "there is a scenario to compare runs of");
    paths
}

fn sim(args: &[&str], scenario: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.arg(args[0]).arg(scenario).args(&args[1..]).stdin(Stdio::null());
    let said = command.output().expect("the binary starts");
    let text = [said.stdout, said.stderr].concat();
    (said.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Event by event, for the scenario's own seed and another one; fingerprints, below, for more seeds.
#[test]
fn every_scenario_runs_the_same_twice() {
    let first = SEEDS[0].to_string();
    for scenario in scenarios() {
        for args in [&["determinism"][..], &["determinism", "--seed", &first]] {
            let (code, text) = sim(args, &scenario);
            assert_eq!(code, Some(0), "{} {args:?}\n{text}", scenario.display());
            assert!(text.starts_with("deterministic: "), "{text}");
        }
    }
}

/// The fingerprint of a run in a process of its own.
fn fingerprint_elsewhere(seed: u64, scenario: &Path) -> String {
    let (_, text) =
        sim(&["run", "--no-report", "--format", "json", "--seed", &seed.to_string()], scenario);
    let document: serde_json::Value = serde_json::from_str(&text).expect("a report");
    document["fingerprint"].as_str().expect("16 digits").to_owned()
}

/// The fingerprint of a run in this process, which has run others before.
fn fingerprint_here(seed: u64, scenario: &Path) -> String {
    run::seed(scenario, seed).expect("the scenario runs").fingerprint.to_string()
}

#[test]
fn a_run_does_not_depend_on_what_ran_before_it_or_beside_it() {
    for scenario in scenarios() {
        let here = SEEDS.map(|seed| fingerprint_here(seed, &scenario));
        assert_ne!(here[0], here[1], "{}: another seed is another run", scenario.display());
        assert_eq!(here, SEEDS.map(|seed| fingerprint_elsewhere(seed, &scenario)));
        let beside = std::thread::scope(|scope| {
            let threads = SEEDS.map(|seed| {
                let scenario = &scenario;
                scope.spawn(move || fingerprint_here(seed, scenario))
            });
            threads.map(|thread| thread.join().expect("the run ends"))
        });
        assert_eq!(here, beside, "{}", scenario.display());
    }
}
