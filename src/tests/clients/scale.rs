//! What an event costs in instructions, as valgrind counts them, with few and many partitions and clients: two runs of
//! one scenario differ by less than a thousandth, however loaded the machine is.

use std::fs;
use std::path::Path;

use super::programs::{said, valgrind};
#[path = "../scale/growth.rs"]
mod growth;
#[path = "../scale/sizes.rs"]
mod sizes;
use growth::assert_flat;
use sizes::scenario;

/// Instructions of an event for each partition, in a test's build: 93 on x86-64. It was 215 while what a partition did
/// made its leader look at all partitions of each fetch that waited.
const EACH_MAX: f64 = 140.0;

/// The number behind the first `word` of a text, without its commas.
fn number(text: &str, word: &str) -> u64 {
    let rest = text.split_once(word).unwrap_or_else(|| panic!("no {word} in {text}")).1;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ',')
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or_else(|_| panic!("no number behind {word} in {text}"))
}

/// Instructions of a run, and its events.
fn instructions(name: &str, text: &str) -> (u64, u64) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scale-{name}.toml"));
    fs::write(&file, text).expect("a scratch file");
    let log = file.with_extension("valgrind");
    let (file, log_file) = (file.display().to_string(), format!("--log-file={}", log.display()));
    let sim = env!("CARGO_BIN_EXE_sim");
    let counter = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"];
    let run = [sim, "run", &file, "--seed", "1", "--no-report", "--format", "json"];
    let json = said(valgrind(&[&counter[..], &[&log_file], &run].concat()), "");
    let counted = fs::read_to_string(&log).expect("valgrind wrote it");
    (number(&counted, "refs:"), number(&json, "\"events\":"))
}

/// Instructions of one event once the topic is there: those of four seconds without those of two.
fn instructions_for_an_event(name: &str, text: impl Fn(u32) -> String) -> f64 {
    let [(two, fewer), (four, more)] =
        [2, 4].map(|seconds| instructions(&format!("{name}-{seconds}"), &text(seconds)));
    (four - two) as f64 / (more - fewer) as f64
}

#[test]
fn an_event_among_many_partitions_costs_what_its_fetch_names() {
    // A fetch names every partition that its leader has, as in Kafka without incremental fetch sessions (KIP-227).
    let (few, many) = (50, 800);
    let costs = [few, many].map(|partitions| {
        let text = |seconds| scenario(partitions, 1, 1, seconds);
        instructions_for_an_event(&format!("p{partitions}"), text)
    });
    let for_each = (costs[1] - costs[0]) / f64::from(many - few);
    assert!(for_each <= EACH_MAX, "{costs:?}: {for_each:.0} for each partition");
}

#[test]
fn an_event_among_many_partitions_costs_little_more_with_fetch_sessions() {
    let costs = [1, 1_000].map(|partitions| {
        let text = |seconds| sizes::with_sessions(partitions, seconds);
        instructions_for_an_event(&format!("s{partitions}"), text)
    });
    assert!(costs[1] <= 2.0 * costs[0], "{costs:?}");
}

/// Instructions of one event of a run.
fn instructions_for_each(name: &str, text: &str) -> f64 {
    let (cost, events) = instructions(name, text);
    cost as f64 / events as f64
}

#[test]
fn an_event_costs_as_much_with_a_group_or_an_idempotent_producer_as_without() {
    let pairs = [
        (
            "alone",
            sizes::consumers(100, 10, false, 12),
            "group",
            sizes::consumers(100, 10, true, 12),
        ),
        ("plain", sizes::producer("plain", 12), "idempotent", sizes::producer("idempotent", 12)),
    ];
    for (without, its_text, with, other_text) in pairs {
        let base = instructions_for_each(without, &its_text);
        let cost = instructions_for_each(with, &other_text);
        assert!(cost <= 1.1 * base, "{without}: {base:.0} for an event, {with}: {cost:.0}");
    }
}

#[test]
fn what_a_group_costs_grows_with_its_partitions() {
    let costs = [100, 300, 1_000].map(|partitions| {
        let text = sizes::consumers(partitions, partitions / 20, true, 12);
        let cost = instructions(&format!("g{partitions}"), &text).0;
        (partitions, cost, u64::from(partitions))
    });
    assert_flat("instructions for each partition", &costs);
}

#[test]
fn an_event_among_many_clients_costs_what_it_costs_among_few() {
    let costs = [50, 200, 800].map(|size| {
        let text = scenario(1, size / 2, size / 2, 3);
        let (cost, events) = instructions(&format!("c{size}"), &text);
        (size, cost, events)
    });
    assert_flat("instructions", &costs);
}
