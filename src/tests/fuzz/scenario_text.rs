//! Scenarios: any text is read, or refused with a message; what is read can be planned, written and read again.

use std::fs;
use std::path::Path;

use kafka_sim::scenario::{self, Failure, Found};
use kafka_sim::vocab::Seed;

use super::driver::Target;

/// The scenarios that users begin with.
fn scenarios() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(folder).expect("there are scenarios");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

/// Files that are wrong in bulk: too much for one line, and too many mistakes.
fn large() -> Vec<Vec<u8>> {
    let head = "kafka = \"2.8\"\nduration = \"9s\"\n[cluster]\nbrokers = 1\n";
    let long_line = format!("{head}[broker]\nx = \"{}\" # \n", "y".repeat(200_000));
    let long_key = format!("{head}{} = 1\n", "k".repeat(100_000));
    let long_list = format!("{head}[expect]\nhappened = [{}]\n", "\"no\", ".repeat(20_000));
    let keys: String = (0..20_000).map(|number| format!("oops{number} = 1\n")).collect();
    let nodes =
        "[[producer]]\nname = \"p\"\ncount = 1000\ntopic = \"t\"\nrate = \"1/s\"\n".repeat(500);
    [long_line, long_key, long_list, format!("{head}{keys}"), format!("{head}{nodes}")]
        .map(String::into_bytes)
        .to_vec()
}

#[test]
fn any_text_is_read_or_refused() {
    let target = Target { name: "scenario_text", memory: 64 << 20, memory_per_byte: 10_000 };
    target.run([scenarios(), large()].concat(), |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        let scenario = match scenario::parse("fuzz.toml", text) {
            Ok(scenario) => scenario,
            Err(wrong) => {
                let shown = wrong.to_string();
                assert!(!shown.is_empty() && shown.len() < 200_000, "{} bytes", shown.len());
                return;
            }
        };
        let plan = scenario.plan(Seed(7));
        let found = Found {
            version: "0".to_owned(),
            commit: "0".to_owned(),
            fingerprint: None,
            panicked: Some("at the fuzzer".to_owned()),
            violations: Vec::new(),
        };
        let failure = Failure { plan, found };
        let written = scenario::write(&failure);
        match scenario::parse_failure("fuzz-7.toml", &written) {
            Ok(again) => assert!(again == failure, "{written}"),
            Err(wrong) => panic!("{wrong}\n{written}"),
        }
    });
}
