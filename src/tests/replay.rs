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
const FILE: &str = "reports/scenarios.last_replica-42.toml";

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
    assert!(same.out.contains(&format!("  replay  sim replay {FILE}  ")));

    let text = fs::read_to_string(folder.join(FILE)).expect("it was written");
    let other = text.replace("latency = \"200us..900us\"", "latency = \"300us..900us\"");
    assert_ne!(other, text);
    fs::write(folder.join("other.toml"), other).expect("an edited copy");
    let other = sim(&folder, &["replay", "--edited", "other.toml", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&other.out).expect("one document");
    assert_eq!((other.code, &document["comparison"]), (Some(1), &"other-path".into()));

    // Without the loss of power nothing is lost, and the scenario expects nothing else of that moment.
    let (before, after) = text.split_once("[[fault]]\nat = \"28s\"").expect("the third fault");
    let after = after.split_once("\n\n").expect("what comes after it").1;
    let gone = format!("{before}{after}").replace(", \"leader-elected\"", "");
    fs::write(folder.join("gone.toml"), gone).expect("an edited copy");
    let gone = sim(&folder, &["replay", "--edited", "gone.toml"]);
    assert_eq!(
        (gone.code, last_lines(&gone.out, 2)[0]),
        (Some(0), "replayed  gone"),
        "{}",
        gone.out
    );

    damaged_files_are_no_failures(&folder, &text);

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

/// A piece of a failure file may be a whole scenario with fewer faults: its failure would be gone.
fn damaged_files_are_no_failures(folder: &Path, text: &str) {
    let replay = |name: &str, text: &str| {
        fs::write(folder.join(name), text).expect("a damaged copy");
        let said = sim(folder, &["replay", name]);
        assert_eq!((said.code, &*said.out), (Some(6), ""), "{}", said.err);
        said.err
    };
    let before_faults = text.find("[[fault]]").expect("it has faults");
    for end in [0, 40] {
        replay("half.toml", &text[..end]);
    }
    let in_a_word = before_faults + "[[fault]]\nat = \"".len();
    for end in [before_faults, in_a_word, text.len() / 2, text.len() - 1] {
        let said = replay("half.toml", &text[..end]);
        assert!(said.starts_with("half.toml was cut off: "), "{said}");
    }
    let half = replay("half.toml", &text[..before_faults]);
    assert_eq!(
        half,
        "half.toml was cut off: its last line is missing
  to write it again    \
         sim run scenarios/last_replica.toml --seed 42
  if you changed it    \
         sim replay --edited half.toml
"
    );
    let changed = replay("it's changed.toml", &text.replace("at = \"28s\"", "at = \"29s\""));
    assert!(changed.starts_with("it's changed.toml was changed since it was written: "));
    assert!(changed.ends_with("  sim replay --edited 'it'\\''s changed.toml'\n"), "{changed}");
    let hash = text.rfind(|c: char| c.is_ascii_hexdigit()).expect("a hash at its end");
    let other = if text[hash..].starts_with('0') { "1" } else { "0" };
    let other = format!("{}{other}{}", &text[..hash], &text[hash + 1..]);
    assert!(replay("hash.toml", &other).contains(" was changed since "));
}

#[test]
fn reports_share_no_name_and_follow_no_link() {
    let folder = scratch("names");
    fs::create_dir_all(folder.join("a b")).expect("a folder");
    for path in ["x.toml", "a b/x.toml", "scenarios/x.toml"] {
        fs::write(folder.join(path), ALWAYS_FAILS).expect("a scenario");
    }
    fs::create_dir_all(folder.join("reports")).expect("a folder");
    fs::write(folder.join("precious"), "precious").expect("a file");
    let link = folder.join("reports/x-1.toml");
    std::os::unix::fs::symlink("../precious", &link).expect("a link");
    let run = |path: &str, more: &[&str]| {
        let said = sim(&folder, &[&["run", path, "--seed", "1"], more].concat());
        assert_eq!((said.code, &*said.err), (Some(1), ""), "{}", said.out);
        said.out
    };
    run("x.toml", &[]);
    run("./x.toml", &[]);
    run("x.toml", &["--mutant", "acknowledge-alone"]);
    run("x.toml", &["--mutant", "end-twice"]);
    run("scenarios/x.toml", &[]);
    let blank = run("a b/x.toml", &[]);
    assert!(blank.contains("\n  replay  sim run 'a b/x.toml' --seed 1  "), "{blank}");
    let mut names: Vec<_> = fs::read_dir(folder.join("reports")).expect("a folder").collect();
    names.sort_by_key(|entry| entry.as_ref().expect("readable").file_name());
    let names = names.iter().map(|entry| entry.as_ref().expect("readable").file_name());
    let names: Vec<_> = names.map(|name| name.into_string().expect("text")).collect();
    let usual =
        ["scenarios.x-1.toml", "x-1-acknowledge-alone.toml", "x-1-end-twice.toml", "x-1.toml"];
    assert_eq!(names[..4], usual);
    assert!(names[4].starts_with("x-1~") && names.len() == 5, "{names:?}");
    let precious = fs::read_to_string(folder.join("precious")).expect("it is there");
    assert_eq!(precious, "precious");
    assert!(link.symlink_metadata().expect("it is there").is_file());

    // The line that runs it again can be pasted.
    let line = blank.lines().find_map(|line| line.strip_prefix("  replay  sim "));
    let command = line.and_then(|line| line.split_once("        (")).expect("a command").0;
    let script = format!("'{}' {command} --no-report", env!("CARGO_BIN_EXE_sim"));
    let pasted = Command::new("sh").args(["-c", &script]).current_dir(&folder).output();
    assert_eq!(pasted.expect("a shell").status.code(), Some(1), "{script}");
}

#[test]
fn failures_are_written_to_the_given_folder_or_not_at_all() {
    let folder = scratch("reports");
    let to = |more: &[&'static str]| sim(&folder, &[&FAILS[..], more].concat());
    assert!(
        to(&["--reports", "a/b"]).out.ends_with("  report  a/b/scenarios.last_replica-42.toml\n")
    );
    assert!(folder.join("a/b/scenarios.last_replica-42.toml").exists());
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
