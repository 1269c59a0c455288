//! What an operator sees of a cluster: `kafka-topics`, through whole runs.

use kafka_sim::model::CommandSummary;
use kafka_sim::run::{self, RunOptions};
use kafka_sim::scenario;
use kafka_sim::vocab::Seed;

const SCENARIO: &str = include_str!("../../scenarios/describe_topic.toml");

fn commands(text: &str) -> Vec<CommandSummary> {
    let scenario = scenario::parse("describe_topic.toml", text).unwrap_or_else(|e| panic!("{e}"));
    let outcome = run::run_plan(scenario.plan(Seed(42)), RunOptions::default());
    outcome.expect("a run").judgement.commands
}

/// As a terminal shows them, with tabs that can be seen.
fn shown(commands: &[CommandSummary]) -> String {
    let mut lines = Vec::new();
    for given in commands {
        let took = given.ended.map_or_else(
            || "and has not ended".to_owned(),
            |ended| format!("took {}s", ended.since(given.time).as_secs()),
        );
        lines.push(format!("{:.3}, {took} $ {}", given.time, given.command));
        lines.extend(given.output.iter().map(|line| line.replace('\t', "→")));
    }
    lines.join("\n")
}

#[test]
fn a_topic_is_described_while_its_leader_dies_and_comes_back() {
    let newer = |release: &str| {
        let text = SCENARIO.replace("kafka = \"1.0\"", &format!("kafka = \"{release}\""));
        let text = text.replace("--zookeeper localhost:2181", "--bootstrap-server localhost:9092");
        // As 1.0 has it; newer brokers' sessions would outlive the crash (KIP-537).
        let timeout = "[broker]\n\"zookeeper.session.timeout.ms\" = 6000\n[[topic]]";
        text.replacen("[[topic]]", timeout, 1).replace(
            "assignment",
            "\"segment.bytes\" = 1000000\n\"min.insync.replicas\" = 2\nassignment",
        )
    };
    insta::with_settings!({
        snapshot_path => "../../snapshots", prepend_module_to_snapshot => false,
        omit_expression => true
    }, {
        insta::assert_snapshot!("describe_topic-1.0", shown(&commands(SCENARIO)));
        insta::assert_snapshot!("describe_topic-2.8", shown(&commands(&newer("2.8"))));
        insta::assert_snapshot!("describe_topic-3.9", shown(&commands(&newer("3.9"))));
    });
}

const ALONE: &str = r#"
kafka = "2.8"
duration = "100s"
[cluster]
brokers = 2
[broker]
"zookeeper.session.timeout.ms" = 6000
[[topic]]
name = "orders"
assignment = [[1]]
[[topic]]
name = "bills"
assignment = [[2]]
[[fault]]
at = "5s"
crash = "b1"
[[command]]
at = "20s"
run = "kafka-topics --list"
[[command]]
at = "20s"
run = "kafka-topics --describe --unavailable-partitions"
[[command]]
at = "20s"
run = "kafka-topics --describe --zookeeper z1:2181 --topic orders"
[[command]]
at = "20s"
run = "kafka-topics --describe --bootstrap-server b1:9092"
[[fault]]
at = "30s"
pause = "z1"
resume-after = "50s"
[[command]]
at = "31s"
run = "kafka-topics --list --zookeeper z1:2181"
[[fault]]
at = "90s"
pause = "brokers"
[[command]]
at = "95s"
run = "kafka-topics --describe"
"#;

#[test]
fn who_cannot_be_asked_is_waited_for_as_long_as_the_tool_waits() {
    let printed = shown(&commands(ALONE));
    let topic = "Topic: orders→TopicId: ";
    let printed: Vec<&str> = printed.lines().collect();
    let (head, rest): (Vec<&str>, Vec<&str>) =
        printed.into_iter().partition(|line| line.starts_with(topic));
    assert!(head.len() == 1 && head[0].ends_with("→Configs: "), "{head:?}");
    assert_eq!(
        rest,
        [
            "20.000s, took 0s $ kafka-topics --list",
            "bills",
            "orders",
            "20.000s, took 0s $ kafka-topics --describe --unavailable-partitions",
            "→Topic: orders→Partition: 0→Leader: none→Replicas: 1→Isr: 1",
            "20.000s, took 0s $ kafka-topics --describe --zookeeper z1:2181 --topic orders",
            "→Topic: orders→Partition: 0→Leader: none→Replicas: 1→Isr: 1",
            "20.000s, took 60s $ kafka-topics --describe --bootstrap-server b1:9092",
            "Error while executing topic command : Timed out waiting for a node assignment. \
             Call: listTopics",
            "31.000s, took 30s $ kafka-topics --list --zookeeper z1:2181",
            "Exception in thread \"main\" kafka.zookeeper.ZooKeeperClientTimeoutException: Timed \
             out waiting for connection while in state: CONNECTING",
            "95.000s, and has not ended $ kafka-topics --describe",
        ]
    );
}

#[test]
fn a_command_is_in_json_and_text_as_it_was_printed() {
    use kafka_sim::report::{self, Provenance, Style};
    let scenario = scenario::parse("describe_topic.toml", SCENARIO).expect("it is right");
    let outcome = run::run_plan(scenario.plan(Seed(1)), RunOptions::default()).expect("a run");
    let line = "\tTopic: my-replicated-topic\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3";
    let text = report::text(&outcome, &Provenance::default(), Style::Plain);
    assert!(text.lines().any(|written| written == line), "{text}");
    let json = report::json(&outcome, &Provenance::default());
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["commands"][0]["output"][1], line);
    assert_eq!(json["commands"][0]["time_ns"], 6_000_000_000_u64);
}
