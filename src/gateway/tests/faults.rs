//! How the scenario's faults affect external clients.

use kafka_protocol::messages::{ApiKey, MetadataRequest, RequestKind};

use super::request;
use crate::cluster::{ExternalListener, Inbound, Live, News, Played, Visitor};
use crate::run::{self, Listeners, RunOptions};
use crate::scenario;
use crate::vocab::step::Closed;
use crate::vocab::{Seed, Time};

const CLUSTER: &str = r#"
kafka = "2.8"
duration = "20s"
[cluster]
brokers = 3
zookeepers = 1
[broker]
"zookeeper.session.timeout.ms" = 30000
[network]
latency = "1ms..2ms"
[[fault]]
at = "5s"
"#;

/// What a client of b1 receives, and in which second: it requests metadata in second 2 and in second 6, and waits
/// until second 15. `fault` comes in second 5.
fn heard(fault: &str) -> Vec<(u64, &'static str)> {
    let text = format!("{CLUSTER}{fault}\n");
    let parsed = scenario::parse("faults.toml", &text);
    let plan = parsed.unwrap_or_else(|wrong| panic!("{wrong}")).plan(Seed(1));
    let listeners =
        (1..=3).map(|id| ExternalListener { server: format!("b{id}"), host: "h".into(), port: id });
    let play = |mut live: Live<'_, Listeners>| -> (Played<Listeners>, Vec<(u64, &'static str)>) {
        let (visitor, mut heard) = (Visitor(1), Vec::new());
        let server = live.roster().find("b1").expect("a broker");
        let body = RequestKind::Metadata(MetadataRequest::default().with_topics(None));
        let bytes = request(ApiKey::Metadata, 7, 3, &body);
        for ms in (0..15_000).step_by(100) {
            live.run_until(Time::from_millis(ms));
            match ms {
                1_000 => live.let_in(Inbound::Open { visitor, server }),
                2_000 | 6_000 => live.let_in(Inbound::Bytes { visitor, bytes: bytes.clone() }),
                _ => {}
            }
            let mut news = Vec::new();
            live.take_news(&mut news);
            heard.extend(news.iter().map(|(_, news)| match news {
                News::Bytes(_) => (ms / 1_000, "an answer"),
                News::Closed(Closed::Reset) => (ms / 1_000, "a reset"),
                News::Closed(_) => (ms / 1_000, "an end"),
            }));
        }
        (live.finish(), heard)
    };
    run::run_live(plan, RunOptions::default(), listeners.collect::<Vec<_>>(), play)
        .expect("no event log")
        .1
}

#[test]
fn faults_reach_who_is_outside_as_they_would_in_life() {
    for (fault, then) in [
        // The process is down, and its host resets the connection.
        ("crash = \"b1\"", vec![(5, "a reset")]),
        ("reset = \"b1\"", vec![(5, "a reset")]),
        ("shutdown = \"b1\"", vec![(5, "an end")]),
        // Silence, until the host is back and does not know the connection.
        ("power-loss = \"b1\"", vec![]),
        ("power-loss = \"b1\"\nrestart-after = \"4s\"", vec![(9, "a reset")]),
        // Requests in between are answered late.
        ("pause = \"b1\"\nresume-after = \"5s\"", vec![(10, "an answer")]),
        ("partition = \"b1\"\nheal-after = \"5s\"", vec![(10, "an answer")]),
        ("slow = \"b1\"\nlatency = \"1500ms\"\nheal-after = \"9s\"", vec![(9, "an answer")]),
    ] {
        let heard = heard(fault);
        let kinds = |all: &[(u64, &'static str)]| all.iter().map(|(_, kind)| *kind).collect();
        let (is, mut wanted): (Vec<_>, Vec<_>) = (kinds(&heard), kinds(&then));
        wanted.insert(0, "an answer");
        assert_eq!(is, wanted, "{fault}: {heard:?}");
        // Not before its time; later by what TCP takes to try again.
        let late = then.iter().zip(&heard[1..]).all(|((from, _), (at, _))| at >= from);
        assert!(late, "{fault}: {heard:?}");
    }
}
