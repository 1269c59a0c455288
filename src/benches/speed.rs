//! Speed and memory of the whole stack beside the floor that it stands on, in one table: `cargo bench`.
//!
//! Only ratios within one run say something: machines differ, and so does what else they do. Nothing here is
//! asserted. Times are taken outside of the simulated runtime, inside of which clocks show virtual time.

mod parts;
#[path = "../tests/scale/sizes.rs"]
mod sizes;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use kafka_sim::checkers::RunOutcome;
use kafka_sim::run::{self, RunOptions};
use kafka_sim::scenario::{self, Plan, Scenario};
use kafka_sim::substrate;
use kafka_sim::vocab::Seed;
use parts::{Counts, Parts};

const SCENARIO: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/leader_crash.toml"));
const SEEDS: std::ops::Range<u64> = 0..8;
/// Each measurement is the best of so many: what disturbs a run only ever slows it down.
const ROUNDS: usize = 5;
const FLOOR_EVENTS: u64 = 1_000_000;
/// Partitions, producers and consumers.
const SIZES: [(u32, u32, u32); 5] =
    [(1, 1, 1), (100, 1, 1), (1_000, 1, 1), (1, 50, 50), (1, 500, 500)];
/// What the scenario says of its length, ten times that, and a hundred times.
const DURATIONS: [&str; 3] = ["duration = \"30s\"", "duration = \"300s\"", "duration = \"3000s\""];

/// Wall time of `work` in seconds, the best of [`ROUNDS`].
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the wall clock is what a bench measures, and nothing but its output depends on it"
)]
fn seconds<R>(mut work: impl FnMut() -> R) -> (f64, R) {
    let mut once = || {
        let start = std::time::Instant::now();
        let result = work();
        (start.elapsed().as_secs_f64(), result)
    };
    let mut best = once();
    for _ in 1..ROUNDS {
        let next = once();
        if next.0 < best.0 {
            best = next;
        }
    }
    best
}

/// leader_crash, of the length that `duration` says.
fn scenario(duration: &str) -> Scenario {
    assert!(SCENARIO.contains(DURATIONS[0]), "leader_crash has another length now");
    parsed(&SCENARIO.replacen(DURATIONS[0], duration, 1))
}

fn parsed(text: &str) -> Scenario {
    match scenario::parse("bench.toml", text) {
        Ok(scenario) => scenario,
        Err(wrong) => panic!("{}", wrong.render()),
    }
}

fn outcome(plan: Plan, options: RunOptions) -> RunOutcome {
    run::run_plan(plan, options).expect("nothing is written that could fail")
}

/// The most memory that this process ever held, in bytes; `None` where `/proc` does not tell.
#[expect(clippy::disallowed_methods, reason = "the process looks at itself, outside of any run")]
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Takes an event log into memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no other thread panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn counts(plan: Plan) -> Counts {
    let lines = Lines::default();
    let options = RunOptions { events: Some(Box::new(lines.clone())), ..RunOptions::default() };
    let world_events = outcome(plan, options).world_events;
    let bytes = std::mem::take(&mut *lines.0.lock().expect("no other thread panicked"));
    Counts::of(&String::from_utf8(bytes).expect("an event log is text"), world_events)
}

/// Peak memory after a run, and after longer ones: in this order, as a peak never falls.
fn memory(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "peak memory                MiB   records   bytes per record and replica")?;
    let mut before: Option<(u64, u64)> = None;
    for duration in DURATIONS {
        let plan = scenario(duration).plan(Seed(42));
        let (duration, replicas) = (plan.duration, plan.brokers.len() as u64);
        let records: u64 =
            outcome(plan, RunOptions::default()).judgement.producers.iter().map(|p| p.sent).sum();
        let Some(peak) = peak_bytes() else { return writeln!(out, "  not told by this system") };
        let mib = peak as f64 / f64::from(1 << 20);
        write!(out, "  {:>5} s {mib:>20.1} {records:>9}", duration.as_secs())?;
        if let Some((peak_before, records_before)) = before {
            let each = (peak - peak_before) / (records - records_before).max(1) / replicas;
            let ratio = peak as f64 / peak_before as f64;
            write!(out, "   {each} more for each; {ratio:.1} times the memory")?;
        }
        writeln!(out)?;
        before = Some((peak, records));
    }
    writeln!(out)
}

fn rate(out: &mut impl Write, what: &str, rate: f64, unit: &str, note: &str) -> io::Result<()> {
    writeln!(out, "  {what:<20} {rate:>12.0} {unit:<10} {note}")
}

/// How fast all of it is; gives the time of one event, in nanoseconds: on the floor, and of the full stack.
fn rates(out: &mut impl Write, scenario: &Scenario) -> io::Result<(f64, f64)> {
    let (floor_s, events) = seconds(|| substrate::floor(Seed(1), FLOOR_EVENTS));
    let floor_rate = events as f64 / floor_s;
    let (mut wall_s, mut world, mut history, mut simulated_s) = (0.0, 0, 0, 0.0);
    for seed in SEEDS {
        let (took, run) = seconds(|| outcome(scenario.plan(Seed(seed)), RunOptions::default()));
        wall_s += took;
        world += run.world_events;
        history += run.events;
        simulated_s += run.simulated.0 as f64 / 1e9;
    }
    let full_rate = world as f64 / wall_s;
    let runs = SEEDS.count();
    writeln!(out, "leader_crash, {runs} seeds, the best of {ROUNDS} runs of each, one thread")?;
    let note = "nodes that only answer: the floor";
    rate(out, "the bare loop", floor_rate, "events/s", note)?;
    let note = format!("{:.1} times the floor's time for each", floor_rate / full_rate);
    rate(out, "the full stack", full_rate, "events/s", &note)?;
    let note = "what the recorder took in, observations included";
    rate(out, "its history", history as f64 / wall_s, "events/s", note)?;
    rate(out, "simulated time", simulated_s / wall_s, "s/s", "")?;
    let note = format!("a run of {:.1} s", simulated_s / runs as f64);
    rate(out, "wall time", wall_s / runs as f64 * 1e3, "ms", &note)?;
    writeln!(out)?;
    Ok((1e9 / floor_rate, 1e9 / full_rate))
}

fn shares(out: &mut impl Write, parts: &Parts, floor_ns: f64, event_ns: f64) -> io::Result<()> {
    let known = [
        ("queue, links, dispatch: the floor", floor_ns),
        ("Kafka codec", parts.codec_ns),
        ("log append, and the disk's", parts.append_ns),
        ("observation, fingerprint, judge", parts.history_ns),
    ];
    let rest = event_ns - known.iter().map(|(_, ns)| ns).sum::<f64>();
    writeln!(out, "where the time of one event goes       ns   share")?;
    for (part, ns) in known.into_iter().chain([("the roles: what is left", rest)]) {
        writeln!(out, "  {part:<33} {ns:>6.0} {:>5.0} %", ns / event_ns * 100.0)?;
    }
    writeln!(out, "  {:<33} {event_ns:>6.0}   100 %\n", "all of it")
}

/// What an event costs among few and many partitions and clients; the last three have fetch sessions.
fn scale(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "partitions   clients     events   ns for each   times the first")?;
    let mut first = None;
    let without = SIZES.map(|(partitions, producers, consumers)| {
        let text = sizes::scenario(partitions, producers, consumers, 3);
        (partitions, producers + consumers, text)
    });
    let with = [1, 1_000, 3_000].map(|n| (n, 2, sizes::with_sessions(n, 3)));
    for (partitions, clients, text) in without.into_iter().chain(with) {
        let scenario = parsed(&text);
        let (took, run) = seconds(|| outcome(scenario.plan(Seed(1)), RunOptions::default()));
        let events = run.events;
        let ns = took * 1e9 / events as f64;
        let ratio = ns / *first.get_or_insert(ns);
        writeln!(out, "{partitions:>10} {clients:>9} {events:>10} {ns:>13.0} {ratio:>17.1}")?;
    }
    writeln!(out)
}

/// What an event costs with a group, an idempotent and a transactional producer, each beside the same run without.
fn clients(out: &mut impl Write) -> io::Result<()> {
    let pairs = [
        ("10 consumers, 100 partitions", sizes::consumers(100, 10, false, 15)),
        ("a group of 10, 100 partitions", sizes::consumers(100, 10, true, 15)),
        ("a producer", sizes::producer("plain", 15)),
        ("an idempotent producer", sizes::producer("idempotent", 15)),
        ("a transactional producer", sizes::producer("transactional", 15)),
    ];
    writeln!(out, "clients                              events   ns for each")?;
    for (what, text) in pairs {
        let scenario = parsed(&text);
        let (took, run) = seconds(|| outcome(scenario.plan(Seed(1)), RunOptions::default()));
        let ns = took * 1e9 / run.events as f64;
        writeln!(out, "  {what:<31} {:>9} {ns:>13.0}", run.events)?;
    }
    writeln!(out)
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    memory(&mut out)?;
    scale(&mut out)?;
    clients(&mut out)?;
    let scenario = scenario(DURATIONS[0]);
    let (floor_ns, event_ns) = rates(&mut out, &scenario)?;
    let parts = Parts::measure(&counts(scenario.plan(Seed(42))));
    shares(&mut out, &parts, floor_ns, event_ns)
}
