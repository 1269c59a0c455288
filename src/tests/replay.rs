//! Failure files and sweeps, through the binary.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use kafka_sim::run::{self, RunOptions};
use kafka_sim::scenario::{self, Failure, Found};
use kafka_sim::vocab::Seed;

use crate::scratch::{scratch, without_commit};
use crate::source::root;

/// A run that fails, and its failure file.
const FAILS: [&str; 4] = ["run", "scenarios/last_replica.toml", "--seed", "42"];
const FILE: &str = "reports/last_replica-42.toml";

/// A scenario that always fails: it forbids what it causes.
const ALWAYS_FAILS: &str = "kafka = \"2.8\"\nduration = \"5s\"\n[cluster]\nbrokers = 1\n\
    [[topic]]\nname = \"t\"\n[[fault]]\nat = \"2s\"\ncrash = \"b1\"\nrestart-after = \"1s\"\n\
    [expect]\nnever = [\"broker-registered-again\"]\n";

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn sim(folder: &Path, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
    let said = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { code: said.status.code(), out: text(said.stdout), err: text(said.stderr) }
}

fn last_lines(text: &str, count: usize) -> Vec<&str> {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

#[test]
fn a_failure_is_written_and_replayed_until_it_is_gone() {
    let folder = scratch("replay");
    let said = sim(&folder, &FAILS);
    assert_eq!((said.code, &*said.err), (Some(1), ""), "{}", said.out);
    assert_eq!(last_lines(&said.out, 1), [format!("  report  {FILE}")]);

    let same = sim(&folder, &["replay", FILE]);
    assert_eq!((same.code, &*same.err), (Some(1), ""), "{}", same.out);
    let replayed = last_lines(&same.out, 2)[0];
    assert_eq!(replayed, "replayed  the same violation, the same run");
    assert!(same.out.contains("  replay  sim replay reports/last_replica-42.toml  "));

    let text = fs::read_to_string(folder.join(FILE)).expect("it was written");
    let other = text.replace("latency = \"200us..900us\"", "latency = \"300us..900us\"");
    assert_ne!(other, text);
    fs::write(folder.join("other.toml"), other).expect("an edited copy");
    let other = sim(&folder, &["replay", "other.toml", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&other.out).expect("one document");
    assert_eq!((other.code, &document["comparison"]), (Some(1), &"other-path".into()));

    // Without the loss of power nothing is lost, and the scenario expects nothing else of that moment.
    let (before, after) = text.split_once("[[fault]]\nat = \"28s\"").expect("the third fault");
    let after = after.split_once("\n\n").expect("what comes after it").1;
    let gone = format!("{before}{after}").replace(", \"leader-elected\"", "");
    fs::write(folder.join("gone.toml"), gone).expect("an edited copy");
    let gone = sim(&folder, &["replay", "gone.toml"]);
    assert_eq!(
        (gone.code, last_lines(&gone.out, 2)[0]),
        (Some(0), "replayed  gone"),
        "{}",
        gone.out
    );

    fs::write(folder.join("wrong.toml"), text.replace("power-loss =", "powerloss =")).expect("too");
    let wrong = sim(&folder, &["replay", "wrong.toml"]);
    assert_eq!((wrong.code, &*wrong.out), (Some(6), ""));
    assert!(
        wrong.err.contains("wrong.toml:") && wrong.err.contains("did you mean `power-loss`?"),
        "{}",
        wrong.err
    );
    let missing = sim(&folder, &["replay", "no/such.toml"]);
    assert_eq!(missing.code, Some(6));
    assert!(missing.err.starts_with("cannot read no/such.toml: "), "{}", missing.err);
}

#[test]
fn failures_are_written_to_the_given_folder_or_not_at_all() {
    let folder = scratch("reports");
    let to = |more: &[&'static str]| sim(&folder, &[&FAILS[..], more].concat());
    assert!(to(&["--reports", "a/b"]).out.ends_with("  report  a/b/last_replica-42.toml\n"));
    assert!(folder.join("a/b/last_replica-42.toml").exists());
    let none = to(&["--no-report"]);
    assert!(last_lines(&none.out, 1)[0].starts_with("  replay  sim run "), "{}", none.out);
    assert!(!folder.join("reports").exists());
    fs::write(folder.join("reports"), "in the way").expect("a file");
    let in_the_way = to(&[]);
    assert_eq!((in_the_way.code, &in_the_way.out), (Some(1), &none.out));
    assert!(in_the_way.err.starts_with("cannot write reports: "), "{}", in_the_way.err);
    // What is printed depends on nothing but the code, the scenario and the seed.
    assert_eq!(without_commit(&none.out), without_commit(&to(&["--no-report"]).out));
}

#[test]
fn a_sweep_sums_up_and_keeps_the_first_failures() {
    let folder = scratch("sweep");
    fs::write(folder.join("x.toml"), ALWAYS_FAILS).expect("a scenario");
    let args = ["run", "x.toml", "--seeds", "1..25"];
    let one = sim(&folder, &[&args[..], &["--jobs", "1"]].concat());
    assert_eq!((one.code, &*one.err), (Some(1), ""), "{}", one.out);
    let two = sim(&folder, &[&args[..], &["--jobs", "2"]].concat());
    assert_eq!(one.out, two.out, "the number of threads changes nothing");
    let text = without_commit(&one.out);
    assert!(text.starts_with("x  seeds 1..25  "), "{text}");
    assert!(text.contains("\nviolated  never broker-registered-again   25 seeds: 1 2 3 4 5 …\n"));
    assert!(text.contains("\n  replay  sim run x.toml --seed 1        (sim "), "{text}");
    let reports = "\nreports  reports/x-1.toml … reports/x-20.toml, 20 files\n         \
                   no file for the 5 seeds that failed after these; `--seed N` writes one\n";
    assert!(text.ends_with(reports), "{text}");
    let written = fs::read_dir(folder.join("reports")).expect("a folder of failures").count();
    assert_eq!(written, 20, "{text}");
}

#[test]
fn every_plan_runs_the_same_when_it_was_written_and_read() {
    let scenarios = fs::read_dir(root().join("scenarios")).expect("there are scenarios");
    for entry in scenarios {
        let path = entry.expect("readable").path();
        let scenario = run::load(&path).expect("a scenario");
        let plan = scenario.plan(Seed(7));
        let written = scenario::write(&Failure { plan: plan.clone(), found: Found::default() });
        let panicked = "[failure]\npanicked = \"made up\"\n";
        let read = scenario::parse_failure("x.toml", &written.replace("[failure]\n", panicked));
        let read = read.unwrap_or_else(|wrong| panic!("{wrong}")).plan;
        assert_eq!(read, plan);
        let [first, second] =
            [plan, read].map(|plan| run::run_plan(plan, RunOptions::default()).expect("no files"));
        assert_eq!(first.fingerprint, second.fingerprint, "{first}");
    }
}
