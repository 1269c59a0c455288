//! Fuzzers: inputs that are damaged in bulk, from a seed.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SIM_FUZZ_SECONDS` | seconds for all targets together; without it, a fixed number of cases for each | — |
//! | `SIM_FUZZ_SEED` | seed of the cases | 1 |
//!
//! A target's corpus is the folder of its name in `src/tests/fuzz/corpus`. Its files are run as they are, and damaged.
//! A finding leaves its input in `target/tmp/fuzz`; copied to the corpus, it is a regression test.
#![expect(clippy::disallowed_methods, reason = "fuzzers read the corpus")]
#![expect(clippy::disallowed_types, reason = "fuzzers time their cases")]

use cap::Cap;

mod bulk;
mod drawn;
mod drawn_requests;
mod driver;
mod failure_files;
mod floods;
mod hostile;
mod kafka_frames;
mod recordings;
mod scenario_text;
mod schema;
mod served;
mod valid_scenarios;
mod zookeeper_frames;

/// Counts what is allocated, and ends the process where an input makes it allocate more.
#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, 4 << 30);
