//! Recordings of served clusters: any file is read, or refused with a message.

use kafka_sim::gateway::Recording;

use super::driver::Target;

/// Lines with their lengths and checksums, which XXH3 makes of all lines so far.
fn sealed(lines: &str) -> Vec<u8> {
    let (mut hash, mut text) = (xxhash_rust::xxh3::Xxh3::new(), "sim inbound 2\n".to_owned());
    for line in lines.lines() {
        hash.update(line.as_bytes());
        hash.update(b"\n");
        text.push_str(&format!("{} {:08x} {line}\n", line.len(), hash.digest() as u32));
    }
    text.into()
}

/// What a served cluster may have recorded.
const LINES: &str = "seed 42
plan 5f0c1e9d0b7a4c21
clock 1764510000000
door b1 127.0.0.1 9092
door z1 ::1 2181
1250000000 open 1 b1
1250000000 bytes 1 AAAAGgASAAMAAAAB
1260000000 open 2 z1
2000000000 alive
2750000000 close 1
2750000001 bytes 2 cnVvaw==
3000000000 full
30000000000 end";

fn recordings() -> Vec<Vec<u8>> {
    let whole = [LINES, &LINES.replace("3000000000 full\n", "")].map(sealed);
    whole.into()
}

fn read(bytes: &[u8]) {
    match Recording::parse(bytes) {
        Ok(recording) => {
            let times = recording.entries.iter().map(|(time, _)| *time);
            assert!(times.is_sorted() && recording.entries.len() <= bytes.len());
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

#[test]
fn any_recording_is_read_or_refused() {
    let target = Target { name: "recordings", memory: 4 << 20, memory_per_byte: 500 };
    target.run(recordings(), |bytes| {
        read(bytes);
        // The same with right checksums, so that the lines are looked at.
        if let Ok(text) = std::str::from_utf8(bytes) {
            let lines = text.lines().map(|line| line.splitn(3, ' ').nth(2).unwrap_or(line));
            read(&sealed(&lines.collect::<Vec<_>>().join("\n")));
        }
    });
}
