//! Scenarios: any text is read, or refused with a message.

use std::fs;
use std::path::Path;

use kafka_sim::scenario;

use super::driver::Target;

/// The scenarios that users begin with.
fn scenarios() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(folder).expect("there are scenarios");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

#[test]
fn any_text_is_read_or_refused() {
    let target = Target { name: "scenario_text", memory: 64 << 20, memory_per_byte: 10_000 };
    target.run(scenarios(), |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        if let Err(wrong) = scenario::parse("fuzz.toml", text) {
            assert!(!wrong.to_string().is_empty());
        }
    });
}
