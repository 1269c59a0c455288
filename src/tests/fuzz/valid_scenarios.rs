//! Scenarios that are right: each is read, planned and run, and nothing that Kafka promises is broken.
//!
//! What is judged depends on how a scenario was drawn. With settings near their defaults, everything is. With settings
//! at the ends of their ranges, or with a process that stays stopped, a cluster may well never be of any use: there,
//! only that a run ends without a panic, and that nothing unsafe happened. With a planted bug, or where the loss of
//! acknowledged records is forbidden whatever the settings, only that a run ends.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SIM_FUZZ_SCENARIOS` | how many scenarios, without `SIM_FUZZ_SECONDS` | 120 |

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use kafka_sim::checkers::{Class, Judged, Status};
use kafka_sim::run::{self, Ran, RunOptions};
use kafka_sim::scenario::{self, Scenario};
use kafka_sim::vocab::Seed;

use super::drawn::{Drawn, draw};
use super::driver::Target;

/// Scenarios in an ordinary test run.
const SCENARIOS: u64 = 120;

/// Properties that fail a run because its scenario asked for it, and not because something went wrong.
const ASKED_FOR: [&str; 1] = ["availability"];

fn read(text: &str) -> Scenario {
    scenario::parse("drawn.toml", text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"))
}

/// The value of a comment of the first lines: `# seed 17`.
fn comment<'t>(text: &'t str, name: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(name));
    found.map(str::trim).unwrap_or_default()
}

/// What is wrong with a run, in one line; nothing when nothing is.
fn findings(ran: &Ran, kind: &str) -> Vec<String> {
    let outcome = match &ran.outcome {
        Ok(outcome) => outcome,
        Err(panic) => return vec![panic.to_string()],
    };
    let counts = |judged: &&Judged| {
        let is_judged = match kind {
            "mutant" | "lossy" => false,
            "wild" | "dead" => judged.property.class == Class::Safety,
            _ => true,
        };
        is_judged && judged.status() >= Status::NotConverged
    };
    let verdicts = outcome.judgement.verdicts.iter().filter(counts);
    let verdicts = verdicts.filter(|judged| !ASKED_FOR.contains(&judged.property.name));
    let names: Vec<&str> = verdicts.map(|judged| judged.property.name).collect();
    let violations = outcome.violations().into_iter();
    let violations = violations.filter(|found| names.contains(&&*found.name));
    violations.map(|found| format!("{}: {}", found.name, found.sentence)).collect()
}

fn keep(number: usize, text: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    let path = folder.join(format!("valid_scenarios-{number}.toml"));
    fs::write(&path, text).expect("a file for the finding");
    path.display().to_string()
}

#[test]
fn every_valid_scenario_runs_and_breaks_no_promise() {
    let target = Target { name: "valid_scenarios", memory: 16 << 30, memory_per_byte: 0 };
    let found: RefCell<Vec<String>> = RefCell::default();
    let statuses: RefCell<std::collections::BTreeMap<String, u64>> = RefCell::default();
    let run = |input: &[u8]| {
        let text = std::str::from_utf8(input).expect("it is a text");
        let seed = comment(text, "seed").parse().expect("the comment has a seed");
        let kind = comment(text, "kind");
        let plan = read(text).plan(Seed(seed));
        let wrong = match run::play(plan, RunOptions::default()) {
            Ok(ran) => {
                if let Ok(outcome) = &ran.outcome {
                    let mut statuses = statuses.borrow_mut();
                    let status = format!("{kind} {:?}", outcome.judgement.status());
                    *statuses.entry(status).or_default() += 1;
                }
                findings(&ran, kind)
            }
            Err(error) => vec![error.to_string()],
        };
        if !wrong.is_empty() {
            let mut found = found.borrow_mut();
            let file = keep(found.len(), text);
            found.push(format!("{file} ({kind}, seed {seed}):\n  {}", wrong.join("\n  ")));
        }
    };
    let cases = env::var("SIM_FUZZ_SCENARIOS").ok().and_then(|text| text.parse().ok());
    target.draw_some(cases.unwrap_or(SCENARIOS), |stream| draw(stream).text.into_bytes(), run);
    assert!(found.borrow().is_empty(), "{}\n{:?}", found.borrow().join("\n"), statuses.borrow());
}

#[test]
fn every_table_key_property_and_option_is_drawn() {
    let mut stream = Seed(1).stream("fuzz/coverage");
    let mut written = BTreeSet::new();
    for _ in 0..1_500 {
        let Drawn { text, keys } = draw(&mut stream);
        read(&text);
        written.extend(keys);
    }
    for table in scenario::language() {
        let properties = table.properties.iter().map(|property| property.name);
        for key in table.keys.iter().copied().chain(properties) {
            let key = (table.title.to_owned(), key.to_owned());
            assert!(written.contains(&key), "never drawn: {key:?}");
        }
    }
}

/// The smallest cluster in which every property has something to do, with one property set.
fn with_property(kafka: &str, title: &str, name: &str, value: i64) -> String {
    let line = format!("\"{name}\" = {value}\n");
    let of = |table: &str| if table == title { line.as_str() } else { "" };
    // The two rules of a broker's properties on each other, and the one of a producer's.
    let ordered = match (title, name) {
        ("[broker]", "replica.fetch.wait.max.ms") => format!(
            "\"replica.lag.time.max.ms\" = {0}\n\"replica.socket.timeout.ms\" = {0}\n",
            value.max(1_000)
        ),
        ("[broker]", "replica.lag.time.max.ms" | "replica.socket.timeout.ms") => {
            format!("\"replica.fetch.wait.max.ms\" = {}\n", value.min(500))
        }
        _ => String::new(),
    };
    let timeouts = match (title, name, value) {
        ("[[producer]]", "delivery.timeout.ms", 0) => {
            "\"linger.ms\" = 0\n\"request.timeout.ms\" = 0\n"
        }
        _ => "",
    };
    let factor = match name {
        "default.replication.factor" => "replication-factor = 2\n",
        _ => "",
    };
    let transactions = match title {
        "transactional" => "\"transactional.id\" = \"x\"\n",
        _ => "",
    };
    let member = match (title, name) {
        ("group", "session.timeout.ms") => {
            format!("group = \"g\"\n\"heartbeat.interval.ms\" = {}\n", (value - 1).min(3_000))
        }
        ("group", "heartbeat.interval.ms") => {
            format!("group = \"g\"\n\"session.timeout.ms\" = {}\n", (value + 1).max(10_000))
        }
        ("group", _) => "group = \"g\"\n".to_owned(),
        _ => String::new(),
    };
    let ticks = match (name, value) {
        ("minSessionTimeout", 100_000..) => format!("maxSessionTimeout = {value}\n"),
        ("maxSessionTimeout", ..100) => format!("minSessionTimeout = {value}\n"),
        _ => String::new(),
    };
    format!(
        "kafka = \"{kafka}\"\nduration = \"2s\"\n[cluster]\nbrokers = 2\n\
         [broker]\n{ordered}{}[zookeeper]\n{ticks}{}\
         [[topic]]\nname = \"t\"\n{factor}{}\
         [[producer]]\nname = \"p\"\ntopic = \"t\"\nrate = \"20/s\"\n{timeouts}{transactions}{}{}\
         [[consumer]]\nname = \"c\"\ntopics = [\"t\"]\n{member}{}{}\
         [[fault]]\nat = \"1s\"\ncrash = \"b1\"\nrestart-after = \"500ms\"\n\
         [expect]\nconverge-within = \"10s\"\n",
        of("[broker]"),
        of("[zookeeper]"),
        of("[[topic]]"),
        of("[[producer]]"),
        of("transactional"),
        of("[[consumer]]"),
        of("group"),
    )
}

#[test]
fn every_property_at_the_ends_of_its_range_is_refused_with_a_reason_or_runs() {
    // A thread of its own for each run; no other target's memory is looked at.
    let _turn = super::driver::turn();
    for kafka in ["2.8", "3.9"] {
        let version = kafka.parse().expect("it is a line");
        for table in scenario::language() {
            for property in &table.properties {
                let Some(range) = property.range_in(table.title, version) else { continue };
                if property.default_in(version).is_none() {
                    continue;
                }
                for value in [*range.start(), *range.end()] {
                    let text = with_property(kafka, table.title, property.name, value);
                    let what = format!("{kafka} {} {} = {value}", table.title, property.name);
                    let scenario = match scenario::parse("ends.toml", &text) {
                        Ok(scenario) => scenario,
                        Err(wrong) if wrong.to_string().contains("this takes about") => continue,
                        Err(wrong) => panic!("{what}: {wrong}"),
                    };
                    let ran = run::play(scenario.plan(Seed(1)), RunOptions::default());
                    let ran = ran.unwrap_or_else(|error| panic!("{what}: {error}"));
                    let wrong = findings(&ran, "wild");
                    assert!(wrong.is_empty(), "{what}: {wrong:?}");
                }
            }
        }
    }
}
