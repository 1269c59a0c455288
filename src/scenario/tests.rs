//! The whole way: from text to a plan, or to diagnostics.

use std::time::Duration;

use super::*;
use crate::releases::KafkaVersion;
use crate::vocab::{
    Acks, BrokerId, Happening, Seed, Shown, Time, TopicPartition, TopicsAction, TopicsCommand, Via,
};

mod diagnostics;
mod failures;
mod limits;

/// The issue's example, word for word; tests change it by a replacement.
const EXAMPLE: &str = include_str!("../../scenarios/leader_crash.toml");

const SCENARIOS: &[(&str, &str)] = &[
    ("controller_crash", include_str!("../../scenarios/controller_crash.toml")),
    ("zookeeper_discovery", include_str!("../../scenarios/zookeeper_discovery.toml")),
    ("zookeeper_restart", include_str!("../../scenarios/zookeeper_restart.toml")),
    ("describe_topic", include_str!("../../scenarios/describe_topic.toml")),
    ("follower_pause", include_str!("../../scenarios/follower_pause.toml")),
    ("leader_crash", EXAMPLE),
    ("leader_crash_acks1", include_str!("../../scenarios/leader_crash_acks1.toml")),
    ("partitioned_leader", include_str!("../../scenarios/partitioned_leader.toml")),
    ("last_replica", include_str!("../../scenarios/last_replica.toml")),
    ("preferred_leader_returns", include_str!("../../scenarios/preferred_leader_returns.toml")),
    ("publish_subscribe", include_str!("../../scenarios/publish_subscribe.toml")),
    ("queue", include_str!("../../scenarios/queue.toml")),
    ("cooperative_rebalance", include_str!("../../scenarios/cooperative_rebalance.toml")),
    ("slow_application", include_str!("../../scenarios/slow_application.toml")),
    ("zookeeper_consumers", include_str!("../../scenarios/zookeeper_consumers.toml")),
    ("power_loss_all", include_str!("../../scenarios/power_loss_all.toml")),
    ("rolling_restart", include_str!("../../scenarios/rolling_restart.toml")),
    ("unclean_election", include_str!("../../scenarios/unclean_election.toml")),
];

/// The example with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "the example has no `{from}`");
    EXAMPLE.replacen(from, to, 1)
}

fn scenario(text: &str) -> Scenario {
    parse("x.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn plan(text: &str) -> Plan {
    scenario(text).plan(Seed(1))
}

#[test]
fn every_scenario_of_the_repository_is_right_and_says_what_it_shows() {
    for (name, text) in SCENARIOS {
        let scenario = parse(name, text).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(scenario.about().len() > 40, "{name} does not say what it shows");
        scenario.plan(Seed(7));
    }
}

#[test]
fn the_example_becomes_the_plan_it_describes() {
    let plan = plan(EXAMPLE);
    assert_eq!(plan.kafka, KafkaVersion::new(2, 8));
    assert_eq!(plan.duration, Duration::from_secs(30));
    assert_eq!(
        plan.brokers.iter().map(|b| b.name.as_str()).collect::<Vec<_>>(),
        ["b1", "b2", "b3"]
    );
    assert_eq!(plan.zookeepers[0].name, "z1");
    let broker = &plan.brokers[0].properties;
    assert_eq!(broker.ms("zookeeper.session.timeout.ms"), Duration::from_secs(6));
    assert_eq!(broker.ms("replica.lag.time.max.ms"), Duration::from_secs(30));
    let topic = &plan.topics[0];
    assert_eq!((topic.assignment.len(), topic.assignment[0].len()), (1, 3));
    assert_eq!(topic.overrides.get("min.insync.replicas").map(String::as_str), Some("2"));
    assert_eq!(topic.properties.int("min.insync.replicas"), 2);
    let producer = &plan.producers[0];
    assert_eq!((producer.acks, producer.discover), (Acks::All, Discovery::Broker));
    assert_eq!((producer.start, producer.stop), (Time::ZERO, Time::from_millis(30_000)));
    assert_eq!(producer.rate.interval(), Duration::from_millis(5));
    assert_eq!(plan.consumers[0].from, ReadFrom::Beginning);
    assert_eq!(plan.network.latency.to_string(), "1ms..5ms");
    let fault = Fault {
        at: Time::from_millis(8_000),
        action: Action::Crash(faults::Crash),
        targets: vec![Target::Leader(TopicPartition::new("orders", 0))],
        undo_after: Some(Duration::from_secs(5)),
    };
    assert_eq!(plan.faults, [fault]);
    assert_eq!(plan.faults[0].to_string(), "crash leader(orders-0), restart after 5s");
    assert_eq!(plan.expect.happened[1], Happening::IsrShrunk);
    assert!(!plan.expect.acknowledged_loss_permitted);
}

#[test]
fn a_scenario_may_limit_how_long_a_producer_is_without_an_acknowledgement() {
    assert_eq!(plan(EXAMPLE).expect.unavailable_at_most, None);
    let limited =
        |limit: &str| changed("[expect]", &format!("[expect]\nunavailable-at-most = {limit}"));
    let limit = plan(&limited("\"2500ms\"")).expect.unavailable_at_most;
    assert_eq!(limit, Some(Duration::from_millis(2_500)));
    let wrong = parse("x.toml", &limited("2500")).expect_err("a number without a unit");
    assert!(wrong.render().contains("unavailable-at-most"), "{wrong}");
}

#[test]
fn a_scenario_may_limit_how_often_something_happens_and_how_long_acknowledgements_take() {
    let with = |lines: &str| changed("[expect]", &format!("[expect]\n{lines}"));
    let expect = plan(&with(
        r#""isr-shrunk" = "1..3"
           truncated = [2, {count = "..4", partition = "orders-0", after = "5s", before = "20s"}]
           request-refused = {before = "9s"}
           latency-at-most = {p99 = "200ms", max = "5s"}"#,
    ))
    .expect;
    let shown: Vec<_> =
        expect.wanted.iter().map(|wanted| format!("{} {wanted}", wanted.happening)).collect();
    let all = [
        "isr-shrunk 1..3",
        "truncated 2",
        "truncated 0..4 of orders-0 from 5.000s on before 20.000s",
        "request-refused 1.. before 9.000s",
    ];
    assert_eq!(shown, all);
    let limits = [(990, Duration::from_millis(200)), (1_000, Duration::from_secs(5))];
    assert_eq!(expect.latency_at_most, limits);
    for (line, message) in [
        ("isr-shrunk = \"3..1\"", "`3..1` is not a count"),
        ("isr-shrunk = \"often\"", "`often` is not a count"),
        ("isr-shrunk = {times = 3}", "unknown key `times`"),
        ("isr-shrunk = {after = \"9s\", before = \"9s\"}", "`after` is not before `before`"),
        ("isr-shrunk = {partition = \"orders\"}", "`orders` is not a partition"),
        ("broker-halted = {partition = \"orders-0\"}", "is not about a partition"),
        ("record-duplicated = {before = \"9s\"}", "is seen at the end of a run only"),
        ("record-lost = 3", "a run that shows `record-lost` fails"),
        ("latency-at-most = {p98 = \"1s\"}", "unknown key `p98`"),
    ] {
        let wrong = parse("x.toml", &with(line)).expect_err(line).render();
        assert!(wrong.contains(message), "{line}: {wrong}");
    }
}

#[test]
fn the_release_decides_what_is_not_set() {
    let of = |version: &str| {
        let text = changed("kafka = \"2.8\"", &format!("kafka = \"{version}\""));
        let text = text.replace("\"zookeeper.session.timeout.ms\" = 6000", "");
        plan(&text.replace("acks = \"all\"", ""))
    };
    let found = ["1.0", "2.8", "3.8"].map(|version| {
        let plan = of(version);
        let (broker, producer) = (&plan.brokers[0].properties, &plan.producers[0]);
        (
            broker.int("zookeeper.session.timeout.ms"),
            broker.int("replica.lag.time.max.ms"),
            producer.properties.int("retries"),
            producer.acks,
        )
    });
    let max = i64::from(i32::MAX);
    let expected = [
        (6_000, 10_000, 0, Acks::Leader),
        (18_000, 30_000, max, Acks::Leader),
        (18_000, 30_000, max, Acks::All),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_delivery_timeout_that_is_not_set_grows_with_the_request_timeout() {
    let text = changed("acks = \"all\"", "acks = \"all\"\n\"request.timeout.ms\" = 200000");
    assert_eq!(plan(&text).producers[0].properties.int("delivery.timeout.ms"), 200_000);
}

#[test]
fn a_command_becomes_what_is_typed_on_a_node_of_its_own() {
    let of = |release: &str, line: &str| {
        let command = format!(
            "[[command]]\nat = \"9s\"\ntimes = 2\nevery = \"1s\"\nrun = \"{line}\"\n[expect]"
        );
        let text = EXAMPLE.replace("kafka = \"2.8\"", &format!("kafka = \"{release}\""));
        plan(&text.replace("[expect]", &command)).commands
    };
    let commands = of("2.8", "bin/kafka-topics.sh --describe --zookeeper z1:2181 --topic=orders");
    let times: Vec<_> = commands.iter().map(|c| (c.name.as_str(), c.at.as_millis())).collect();
    assert_eq!(times, [("shell-1", 9_000), ("shell-2", 10_000)]);
    let read = TopicsCommand {
        action: TopicsAction::Describe(Shown::Everything),
        topics: Some("orders".into()),
        via: Via::ZooKeeper,
        hosts: vec!["z1".into()],
    };
    assert_eq!(commands[1].command, read);
    for (release, line, via, hosts) in [
        ("2.1", "kafka-topics --list", Via::ZooKeeper, vec![]),
        ("2.2", "kafka-topics --list", Via::Brokers, vec![]),
        ("2.2", "kafka-topics --list --zookeeper localhost:2181", Via::ZooKeeper, vec![]),
        (
            "3.9",
            "kafka-topics --list --bootstrap-server b1:9092,b3",
            Via::Brokers,
            vec!["b1", "b3"],
        ),
    ] {
        let command = &of(release, line)[0].command;
        let asked: Vec<_> = command.hosts.iter().map(String::as_str).collect();
        assert_eq!((command.via, asked), (via, hosts), "{release} {line}");
        assert_eq!((command.action, &command.topics), (TopicsAction::List, &None));
    }
}

#[test]
fn a_start_takes_1_to_4_s_unless_the_cluster_says_otherwise() {
    let start_up = |line: &str| {
        let plan =
            scenario(&changed("brokers = 3\n", &format!("brokers = 3\n{line}"))).plan(Seed(1));
        (plan.start_up.low.as_millis(), plan.start_up.high.as_millis())
    };
    assert_eq!(start_up(""), (1_000, 4_000));
    assert_eq!(start_up("start-up = \"0s\"\n"), (0, 0));
    assert_eq!(start_up("start-up = \"700ms..12s\"\n"), (700, 12_000));
}

const DRAWN: &str = "\n[[fault]]\nat = \"5s..20s\"\npause = \"b1\"\nresume-after = \"1s..9s\"\n";

#[test]
fn the_same_seed_draws_the_same_plan_and_another_seed_another() {
    let scenario = scenario(&format!("{EXAMPLE}{DRAWN}"));
    assert_eq!(scenario.plan(Seed(1)), scenario.plan(Seed(1)));
    let times = |seed| scenario.plan(Seed(seed)).faults.iter().map(|f| f.at).collect::<Vec<_>>();
    assert_ne!(times(1), times(2));
    let drawn: Vec<Fault> = (0..50)
        .flat_map(|seed| scenario.plan(Seed(seed)).faults)
        .filter(|fault| fault.action == Action::Pause(faults::Pause))
        .collect();
    assert_eq!(drawn.len(), 50);
    for fault in &drawn {
        assert!((Time::from_millis(5_000)..=Time::from_millis(20_000)).contains(&fault.at));
        let undo = fault.undo_after.expect("the fault is undone");
        assert!((Duration::from_secs(1)..=Duration::from_secs(9)).contains(&undo));
    }
}

#[test]
fn one_more_fault_or_client_or_topic_moves_nothing_else() {
    let client =
        "\n[[producer]]\nname = \"p1\"\ntopic = \"orders\"\nrate = \"1/s\"\nstart = \"1s..5s\"\n";
    let topic = "\n[[topic]]\nname = \"payments\"\n";
    let less = scenario(&format!("{EXAMPLE}{DRAWN}{client}"));
    let two = format!("{DRAWN}{DRAWN}").replacen("pause = \"b1\"", "pause = \"b2\"", 1);
    let two = two.replace("pause = \"b1\"", "clock = \"b1\"\nstep = \"+1s\"");
    let two = two.replacen("pause = \"b2\"", "pause = \"b1\"", 1);
    let (first, second) = two.split_at(DRAWN.len());
    let second = second.replace("resume-after = \"1s..9s\"\n", "");
    let reader = "\n[[consumer]]\nname = \"c1\"\ntopics = \"orders\"\nstart = \"1s..2s\"\n";
    let more = scenario(&format!("{EXAMPLE}{topic}{first}{second}{reader}{client}"));
    for seed in (0..20).map(Seed) {
        let (less, more) = (less.plan(seed), more.plan(seed));
        assert_eq!(less.topics[0], more.topics[0]);
        assert_eq!(less.producers, more.producers);
        let kept = |plan: &Plan| {
            let kept = plan.faults.iter().filter(|f| !matches!(f.action, Action::ClockStep(_)));
            kept.map(|f| (f.at, f.action.clone(), f.undo_after)).collect::<Vec<_>>()
        };
        assert_eq!(kept(&less), kept(&more));
    }
}

#[test]
fn a_repeated_fault_is_in_the_plan_as_often_as_it_fires() {
    let fault = "\n[[fault]]\nat = \"3s\"\nreset = \"p0\"\ntimes = 3\nevery = \"2s..4s\"\n";
    let plan = plan(&format!("{EXAMPLE}{fault}"));
    assert!(plan.faults.is_sorted_by_key(|fault| fault.at));
    let resets: Vec<_> = plan.faults.iter().filter(|f| f.action.kind().name == "reset").collect();
    assert_eq!(resets.len(), 3);
    for pair in resets.windows(2) {
        let between = pair[1].at.since(pair[0].at);
        assert!((Duration::from_secs(2)..=Duration::from_secs(4)).contains(&between));
    }
}

#[test]
fn every_fault_is_read_and_printed_in_one_line() {
    let faults = [
        ("crash = [\"b1\", \"z1\"]", "crash b1 z1"),
        (
            "power-loss = \"brokers\"\nrestart-after = \"2s\"",
            "power-loss brokers, restart after 2s",
        ),
        ("shutdown = \"controller\"", "shutdown controller"),
        ("pause = \"follower(orders-0, 2)\"", "pause follower(orders-0, 2)"),
        ("partition = \"b1\"\ndirection = \"in\"", "partition b1, inbound only"),
        ("partition = \"b1\"\nfrom = [\"z1\", \"b2\"]", "partition b1 from z1 b2"),
        ("cut = \"b1\"\nto = \"b2\"\nheal-after = \"1m\"", "cut b1 to b2, heal after 1m"),
        ("slow = \"c0\"\nlatency = \"20ms\"", "slow c0 by 20ms"),
        ("reset = \"b1\"\nto = \"p0\"", "reset b1 to p0"),
        ("slow-disk = \"b1\"\nfsync = \"1ms..1s\"", "slow-disk b1, fsync 1ms..1s"),
        ("clock = \"b1\"\nstep = \"-5s\"", "clock b1 by -5000ms"),
        ("restart = \"b1\"", "restart b1"),
    ];
    for (written, expected) in faults {
        let text = changed("duration = \"30s\"", "duration = \"10m\"");
        let plan = plan(&format!("{text}\n[[fault]]\nat = \"20s\"\n{written}\n"));
        assert_eq!(plan.faults.last().map(ToString::to_string).as_deref(), Some(expected));
    }
}

#[test]
fn several_clients_are_written_as_one() {
    let text = changed("name = \"p0\"", "name = \"p\"\ncount = 3\nacks = 0");
    let text = text.replace("acks = \"all\"\n", "");
    let fault = "\n[[fault]]\nat = \"1s\"\ncrash = \"p-2\"\n";
    let plan = plan(&format!("{text}{fault}"));
    let names: Vec<_> = plan.producers.iter().map(|p| (p.name.as_str(), p.acks.wire())).collect();
    assert_eq!(names, [("p-0", 0), ("p-1", 0), ("p-2", 0)]);
}

#[test]
fn a_member_of_a_group_has_what_its_release_and_the_scenario_say() {
    let text = changed(
        "topics = [\"orders\"]",
        "topics = [\"orders\"]\ncount = 2\ngroup = \"g\"\ncommit = \"after-processing\"\n\
         processing = \"5ms\"\n\"group.instance.id\" = \"i\"\n\
         \"partition.assignment.strategy\" = [\"roundrobin\", \"range\"]",
    );
    let plan = plan(&text);
    let group = |n: usize| plan.consumers[n].group.as_ref().expect("a group");
    assert_eq!((group(0).id.as_str(), group(0).commit), ("g", Commit::AfterProcessing));
    assert_eq!(group(0).processing, Duration::from_millis(5));
    assert_eq!(group(0).strategies, ["roundrobin", "range"]);
    assert!(!group(0).properties.bool("enable.auto.commit"), "the application commits");
    assert_eq!(group(0).properties.int("session.timeout.ms"), 10_000);
    let instances = [0, 1].map(|n| group(n).instance.as_deref());
    assert_eq!(instances, [Some("i-0"), Some("i-1")]);
    assert_eq!(plan.consumers[0].from, ReadFrom::End, "auto.offset.reset is latest");
}

#[test]
fn a_member_by_pattern_reads_the_topics_that_match() {
    let by = |pattern: &str, more: &str| {
        let topics = "[[topic]]\nname = \"orders-eu\"\n[[topic]]\nname = \"invoices\"\n";
        let text = format!("topics-matching = \"{pattern}\"\n{more}");
        format!("{}\n{topics}", changed("topics = [\"orders\"]", &text))
    };
    let read = plan(&by("orders.*", "group = \"g\""));
    assert_eq!(read.consumers[0].topics, ["orders", "orders-eu"]);
    for (text, expected) in [
        (by("orders.*", ""), "`topics-matching` needs a group"),
        (by("(", "group = \"g\""), "this is no pattern: unclosed group"),
        (by("order", "group = \"g\""), "`order` matches no topic"),
        (by("o.*", "group = \"g\"\ntopics = [\"orders\"]"), "exclude each other"),
    ] {
        let wrong = parse("x.toml", &text).expect_err("it is wrong").render();
        assert!(wrong.contains(expected), "{wrong}");
    }
}

#[test]
fn a_client_cannot_have_the_name_of_a_node_that_is_always_there() {
    let wrong = parse("x.toml", &changed("\"p0\"", "\"admin\"")).expect_err("it is taken");
    assert!(wrong.render().contains("`admin` cannot be a client's name"), "{wrong}");
}

#[test]
fn an_explicit_assignment_is_kept() {
    let text = changed("partitions = 1\nreplication-factor = 3", "assignment = [[3, 1], [1, 2]]");
    let ids = |ids: [i32; 2]| ids.map(BrokerId).to_vec();
    assert_eq!(plan(&text).topics[0].assignment, [ids([3, 1]), ids([1, 2])]);
}

#[test]
fn every_word_of_an_earlier_version_is_an_error_that_gives_the_new_word() {
    let coordinator = "[coordinator]\ntickTime = 1000\n[network]";
    let client = "[[coordinator-client]]\nname = \"k0\"\nrate = \"1/s\"\n[network]";
    for (from, to, old, new) in [
        ("[network]", coordinator, "coordinator", "zookeeper"),
        ("[network]", client, "coordinator-client", "zookeeper-client"),
        ("zookeepers = 1", "coordinators = 1", "coordinators", "zookeepers"),
        ("rate =", "discover = \"coordinator\"\nrate =", "coordinator", "zookeeper"),
        ("leader(orders-0)", "leader(coordinator)", "coordinator", "zookeeper"),
        ("leader(orders-0)", "follower(coordinator, 1)", "coordinator", "zookeeper"),
        ("leader(orders-0)", "coordinators", "coordinators", "zookeepers"),
        (
            "\"isr-shrunk\"",
            "\"coordinator-leader-changed\"",
            "coordinator-leader-changed",
            "zookeeper-leader-changed",
        ),
        (
            "\"isr-shrunk\"",
            "\"coordinator-snapshot-read\"",
            "coordinator-snapshot-read",
            "zookeeper-snapshot-read",
        ),
    ] {
        let wrong = parse("x.toml", &changed(from, to)).expect_err(to).render();
        assert!(wrong.contains(&format!("`{old}` is now called `{new}`")), "{to}: {wrong}");
        assert!(wrong.contains(&format!("hint: write {new}\n")), "{to}: {wrong}");
        assert_eq!(wrong.matches("error: ").count(), 1, "{to}: {wrong}");
    }
}

#[test]
fn a_plan_survives_being_stored() {
    for (name, text) in SCENARIOS {
        let plan = scenario(text).plan(Seed(3));
        let json = serde_json::to_string(&plan).expect("a plan is JSON");
        assert_eq!(serde_json::from_str::<Plan>(&json).ok().as_ref(), Some(&plan), "{name}");
        let bytes = postcard::to_stdvec(&plan).expect("a plan is bytes");
        assert_eq!(postcard::from_bytes::<Plan>(&bytes).ok().as_ref(), Some(&plan), "{name}");
    }
}

#[test]
fn no_damaged_file_panics_the_reader_or_goes_wrong_without_a_word() {
    for (name, text) in SCENARIOS {
        let lines: Vec<&str> = text.lines().collect();
        let mut wrong = 0;
        for index in 0..lines.len() {
            let (before, after) = (&lines[..index], &lines[index + 1..]);
            let line = lines[index];
            let half = line.get(..line.len() / 2).unwrap_or_default();
            let damaged = ["", half, "é = [[[", "x.y.z = {}", "fault = 1", "[[expect]]"];
            for middle in damaged.iter().map(|d| (*d).to_owned()).chain([line.replace('"', "")]) {
                let text = [before, &[middle.as_str()], after].concat().join("\n");
                match parse(name, &text) {
                    Ok(scenario) => drop(scenario.plan(Seed(1))),
                    Err(found) => {
                        wrong += 1;
                        assert!(found.render().contains(&format!("--> {name}:")), "{found}");
                    }
                }
            }
        }
        assert!(wrong > lines.len(), "{name}: little of the damage was noticed");
    }
}

#[test]
fn a_cluster_may_take_as_long_as_a_client_waits_for_a_lost_broker() {
    let within = |kafka: &str, more: &str| {
        let text = format!(
            "kafka = \"{kafka}\"\nduration = \"10s\"\n[cluster]\nbrokers = 3\n[[topic]]\nname = \
             \"orders\"\n[[consumer]]\nname = \"c0\"\ntopics = [\"orders\"]\n{more}"
        );
        plan(&text).expect.converge_within
    };
    let secs = Duration::from_secs;
    assert_eq!(within("2.8", ""), secs(60));
    assert_eq!(within("1.1", ""), secs(335), "its consumers wait for 305 s");
    assert_eq!(within("1.1", "\"request.timeout.ms\" = 40000\n"), secs(70));
    assert_eq!(within("1.1", "\"request.timeout.ms\" = 2147483646\n"), secs(600), "no weeks");
    assert_eq!(within("1.1", "[expect]\nconverge-within = \"20s\"\n"), secs(20));
    let member = "group = \"g\"\n";
    assert_eq!(within("2.8", member), secs(335), "it joins for 305 s");
    let poll = |ms| format!("{member}\"max.poll.interval.ms\" = {ms}\n");
    assert_eq!(within("2.8", &poll(90_000)), secs(125));
    assert_eq!(within("3.0", &poll(1_000)), secs(75), "its session lasts for 45 s");
}
