//! Draws cases, and watches each: no panic, no case that takes long, no memory that its input does not explain.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, fs};

use kafka_sim::vocab::{Seed, Stream};
use rustix::time::{ClockId, clock_gettime};

use super::ALLOCATOR;

/// Cases of a target in an ordinary test run.
const CASES: u64 = 2_000;
/// Targets that share `SIM_FUZZ_SECONDS`.
const TARGETS: u32 = 7;
/// What a case may take of the processor: far above any honest one.
const SLOW: Duration = Duration::from_secs(20);

/// Held by the target that runs: what is allocated is counted for the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for the target that runs, and lets none run until what it returns is dropped.
pub fn turn() -> impl Drop {
    // A target that found something has poisoned it; the others go on.
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A kind of input and what takes it.
pub struct Target {
    /// Also the name of its corpus.
    pub name: &'static str,
    /// Bytes that one case may allocate, whatever its input.
    pub memory: usize,
    /// Bytes that one case may allocate for each byte of input.
    pub memory_per_byte: usize,
}

/// What this process has taken of the processor. Targets take turns, so that it is the running one's; how loaded the
/// machine is does not matter.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("time goes on from zero")
}

/// How many cases to run.
enum Budget {
    Cases(u64),
    Until(Instant),
}

impl Budget {
    fn of_environment(cases: u64) -> Self {
        let seconds = env::var("SIM_FUZZ_SECONDS").ok().and_then(|text| text.parse::<u64>().ok());
        let Some(seconds) = seconds else { return Self::Cases(cases) };
        Self::Until(Instant::now() + Duration::from_secs(seconds) / TARGETS)
    }

    fn is_spent(&self, cases: u64) -> bool {
        match self {
            Self::Cases(most) => cases >= *most,
            Self::Until(end) => Instant::now() >= *end,
        }
    }
}

impl Target {
    /// Runs the corpus and `more` inputs, and then cases drawn from them: `take` gets each input.
    pub fn run(&self, more: Vec<Vec<u8>>, take: impl Fn(&[u8])) {
        let corpus = [self.corpus(), more].concat();
        assert!(!corpus.is_empty(), "the corpus of {} is empty", self.name);
        let turn = TURN.lock();
        for (number, input) in corpus.iter().enumerate() {
            self.one(&format!("corpus {number}"), input, &take);
        }
        drop(turn);
        self.draw(|stream| damaged(stream, &corpus), take);
    }

    /// Runs `inputs`, and nothing else: for a target that changes each of them in every way.
    pub fn each(&self, inputs: &mut dyn Iterator<Item = Vec<u8>>, take: impl Fn(&[u8])) {
        let _turn = TURN.lock();
        for (number, input) in inputs.enumerate() {
            self.one(&format!("input {number}"), &input, &take);
        }
    }

    /// Runs cases that `draw` makes.
    pub fn draw(&self, draw: impl Fn(&mut Stream) -> Vec<u8>, take: impl Fn(&[u8])) {
        self.draw_some(CASES, draw, take);
    }

    /// As [`Target::draw`], with another number of cases in an ordinary test run.
    pub fn draw_some(
        &self,
        cases: u64,
        draw: impl Fn(&mut Stream) -> Vec<u8>,
        take: impl Fn(&[u8]),
    ) {
        // A target that found something has poisoned it; the others go on.
        let _turn = TURN.lock();
        let seed = env::var("SIM_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
        let mut stream = Seed(seed).stream(&format!("fuzz/{}", self.name));
        let budget = Budget::of_environment(cases);
        let mut cases = 0;
        while !budget.is_spent(cases) {
            let input = draw(&mut stream);
            self.one(&format!("seed {seed}, case {cases}"), &input, &take);
            cases += 1;
        }
    }

    fn one(&self, case: &str, input: &[u8], take: impl Fn(&[u8])) {
        // Before the case: a process that runs out of memory, or hangs, leaves it too.
        let file = self.saved();
        fs::write(&file, input).expect("a file for the input");
        let (started, before) = (processor_time(), ALLOCATOR.total_allocated());
        let name = self.name;
        let ended = catch_unwind(AssertUnwindSafe(|| take(input)));
        if let Err(panic) = ended {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
            panic!("{name}: {case}: {message:?}, input in {}", file.display());
        }
        let (took, used) = (processor_time() - started, ALLOCATOR.total_allocated() - before);
        let most = self.memory + self.memory_per_byte * input.len();
        let kept = file.display();
        assert!(took < SLOW, "{name}: {case} takes {took:?}, input in {kept}");
        assert!(used <= most, "{name}: {case} allocates {used}, more than {most}, input in {kept}");
    }

    fn saved(&self) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
        fs::create_dir_all(&folder).expect("a folder for inputs");
        folder.join(self.name)
    }

    /// The files of the corpus, by name; none is kept for a target whose inputs are elsewhere.
    fn corpus(&self) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/fuzz/corpus");
        let Ok(entries) = fs::read_dir(folder.join(self.name)) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).expect("readable")).collect()
    }
}

/// Numbers that are edges of something.
const EDGES: [u64; 10] = [
    0,
    1,
    0x7f,
    0x80,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// An input of the corpus, with some changes.
pub fn damaged(stream: &mut Stream, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[stream.below(corpus.len() as u64) as usize].clone();
    for _ in 0..=stream.below(6) {
        let at = stream.below(bytes.len() as u64 + 1) as usize;
        match stream.below(8) {
            0 => bytes.truncate(at),
            1 => {
                let mut more = vec![0; stream.below(16) as usize];
                stream.fill(&mut more);
                bytes.splice(at..at, more);
            }
            2 => {
                let end = bytes.len().min(at + stream.below(32) as usize);
                bytes.drain(at..end);
            }
            3 => {
                let end = bytes.len().min(at + stream.below(64) as usize);
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            // A piece of another input.
            4 => {
                let other = &corpus[stream.below(corpus.len() as u64) as usize];
                let from = stream.below(other.len() as u64 + 1) as usize;
                let to = other.len().min(from + stream.below(200) as usize);
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            5 => {
                let edge = EDGES[stream.below(EDGES.len() as u64) as usize].to_be_bytes();
                let size = 1 << stream.below(4);
                let end = bytes.len().min(at + size);
                bytes.splice(at..end, edge[8 - size..].iter().copied());
            }
            kind => {
                if let Some(byte) = bytes.get_mut(at) {
                    let bit = 1 << stream.below(8);
                    *byte = if kind == 6 { *byte ^ bit } else { stream.below(256) as u8 };
                }
            }
        }
    }
    bytes
}
