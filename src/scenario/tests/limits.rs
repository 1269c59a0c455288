//! What is refused because no machine, or no time, can do it.

use super::super::*;
use super::{EXAMPLE, changed};

fn refused(text: &str) -> String {
    match parse("x.toml", text) {
        Ok(_) => panic!("it was taken:\n{text}"),
        Err(wrong) => wrong.render(),
    }
}

#[test]
fn never_is_a_value_of_every_property_that_is_a_long_in_kafka() {
    let max = i64::MAX;
    let broker = format!(
        "[broker]\n\"replica.lag.time.max.ms\" = {max}\n\
         \"replica.high.watermark.checkpoint.interval.ms\" = {max}\n\
         \"controlled.shutdown.retry.backoff.ms\" = {max}\n\"log.flush.interval.ms\" = {max}"
    );
    let text = changed("[broker]", &broker);
    let client = format!(
        "\"max.block.ms\" = {max}\n\"metadata.max.age.ms\" = {max}\n\"retry.backoff.ms\" = {max}\n\
         \"reconnect.backoff.ms\" = {max}\nrate = "
    );
    let plan = super::plan(&text.replacen("rate = ", &client, 1));
    let lag = plan.brokers[0].properties.ms("replica.lag.time.max.ms");
    assert!((crate::vocab::Time::ZERO + lag).is_never());
}

#[test]
fn what_exceeds_a_machine_is_refused_with_the_estimate() {
    for (from, to, what) in [
        ("[broker]", "[broker]\n\"num.partitions\" = 2147483647", "2147483647 partitions"),
        ("partitions = 1", "partitions = 10000", ""),
        ("rate = \"200/s\"", "rate = \"1000000/s\"\nrecord-size = 10000", "records of `p0`"),
        ("rate = \"200/s\"", "rate = \"1/s\"\ncount = 1000\nrecord-size = \"64MiB\"", "records"),
    ] {
        if what.is_empty() {
            super::scenario(&changed(from, to));
            continue;
        }
        let shown = refused(&changed(from, to));
        assert!(shown.contains("this takes about") && shown.contains(what), "{shown}");
        assert!(
            shown.contains("GiB of memory; the limit is") || shown.contains("16 GiB"),
            "{shown}"
        );
    }
    let many = "[[zookeeper-client]]\nname = \"x\"\ncount = 1000\nrate = \"1/s\"\n";
    let many: String = (0..11).map(|n| many.replace("\"x\"", &format!("\"x{n}\""))).collect();
    let shown = refused(&format!("{EXAMPLE}\n{many}"));
    assert!(shown.contains("nodes, and a run has at most 10000"), "{shown}");
}

#[test]
fn settings_with_which_time_stands_still_are_refused_with_the_reason() {
    for key in [
        "log.flush.interval.ms",
        "log.flush.offset.checkpoint.interval.ms",
        "replica.high.watermark.checkpoint.interval.ms",
    ] {
        let shown = refused(&changed("[broker]", &format!("[broker]\n\"{key}\" = 0")));
        assert!(shown.contains("must be at least 1, not 0"), "{shown}");
        assert!(shown.contains("scheduler refuses 0"), "{shown}");
    }
    let still = changed("latency = \"1ms..5ms\"", "latency = \"0s\"");
    for wait in ["replica.fetch.wait.max.ms", "replica.fetch.min.bytes"] {
        let broker = format!("[broker]\n\"{wait}\" = 0");
        let shown = refused(&still.replacen("[broker]", &broker, 1));
        assert!(shown.contains("million events"), "{shown}");
        assert!(shown.contains("fetches of followers"), "{shown}");
    }
    super::scenario(&still);
    let client = "[[zookeeper-client]]\nname = \"k\"\nrate = \"5/s\"\nmove-every = \"0s\"\n";
    let shown = refused(&format!("{EXAMPLE}\n{client}"));
    assert!(shown.contains("`move-every` must be above 0"), "{shown}");
    let often = client.replace("0s", "1us");
    let shown = refused(&format!("{EXAMPLE}\n{often}").replace("\"30s\"", "\"24h\""));
    assert!(shown.contains("moves of `k` to another server"), "{shown}");
}

#[test]
fn a_range_says_where_it_comes_from() {
    let of_release = |kafka: &str, line: &str| {
        let text = changed("kafka = \"2.8\"", &format!("kafka = \"{kafka}\""));
        text.replacen("rate = ", &format!("{line}\nrate = "), 1)
    };
    let shown = refused(&of_release("2.1", "\"linger.ms\" = 3000000000"));
    assert!(shown.contains("Kafka 2.1.1's ProducerConfig allows 0 to 2147483647"), "{shown}");
    super::scenario(&of_release("2.0", "\"linger.ms\" = 3000000000"));
    let shown = refused(&changed("[broker]", "[broker]\n\"default.replication.factor\" = 40000"));
    assert!(shown.contains("cuts it to 16 bits"), "{shown}");
    let sessions = format!("{EXAMPLE}\n[zookeeper]\nminSessionTimeout = 90000\n");
    let shown = refused(&sessions);
    assert!(shown.contains("`minSessionTimeout` (90000) must not be above"), "{shown}");
}
