//! What is said about wrong files; each snapshot is one file's whole output.

use super::super::*;
use super::{EXAMPLE, changed};

fn check(name: &str, text: &str) {
    let shown = match parse("scenarios/x.toml", text) {
        Ok(_) => panic!("{name}: nothing was found wrong"),
        Err(wrong) => wrong.render(),
    };
    insta::with_settings!({
        snapshot_path => "../../../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(format!("diagnostics__{name}"), shown);
    });
}

#[test]
fn wrong_keys() {
    check("mistyped_key", &changed("replication-factor = 3", "replication-facter = 3"));
    check("mistyped_table", &changed("[network]", "[netwerk]"));
    let property = "\"replica.lag.time.max.ms\" = 500\n\"replica.lag.time.ms\" = 1\n";
    let text = changed("\"zookeeper.session", &format!("{property}\"zookeeper.sesion"));
    check("mistyped_property", &text);
    let unquoted = "replica.lag.time.max.ms = 5000\nreplica.fetch.wait.max.ms = 100\n";
    check(
        "unquoted_property",
        &changed("\"zookeeper.session", &format!("{unquoted}\"zookeeper.session")),
    );
    let ignored = "\"log.retention.hours\" = 1\n\"zookeeper.session";
    check("property_not_simulated", &changed("\"zookeeper.session", ignored));
    let young = changed("kafka = \"2.8\"", "kafka = \"1.0\"");
    check("property_too_young", &young.replace("rate = ", "\"delivery.timeout.ms\" = 5\nrate = "));
    check("missing", "# Nothing but a topic.\n[[topic]]\npartitions = 2\n");
}

#[test]
fn wrong_values() {
    check("mistyped_duration", &changed("at = \"8s\"", "at = \"8 seconds\""));
    check("reversed_range", &changed("latency = \"1ms..5ms\"", "latency = \"5ms..1ms\""));
    check("wrong_type", &changed("brokers = 3", "brokers = \"three\""));
    check("version_without_quotes", &changed("kafka = \"2.8\"", "kafka = 2.8"));
    check("unknown_version", &changed("kafka = \"2.8\"", "kafka = \"2.9\""));
    check("unknown_patch", &changed("kafka = \"2.8\"", "kafka = \"2.8.7\""));
    check("out_of_range", &changed("\"min.insync.replicas\" = 2", "\"min.insync.replicas\" = 0"));
    check("duration_for_milliseconds", &changed("timeout.ms\" = 6000", "timeout.ms\" = \"6s\""));
    check("replication_factor", &changed("replication-factor = 3", "replication-factor = 4"));
    check(
        "unordered_properties",
        &changed("[broker]", "[broker]\n\"replica.lag.time.max.ms\" = 400"),
    );
    let rate = "rate = \"200 per second\"\nrecord-size = \"1XB\"\nstart = \"40s\"";
    check("wrong_rate_and_size", &changed("rate = \"200/s\"", rate));
    check("ensemble", &changed("zookeepers = 1", "zookeepers = 2"));
}

#[test]
fn wrong_names() {
    check("duplicate_clients", &changed("name = \"c0\"", "name = \"p0\""));
    let topic = "[[topic]]\nname = \"orders\"\n";
    let producer = "[[producer]]\nname = \"b1\"\ntopic = \"order\"\nrate = \"1/s\"\n";
    check("duplicate_topic_and_taken_name", &format!("{EXAMPLE}\n{topic}{producer}"));
    let member =
        |more: &str| changed("topics = [\"orders\"]", &format!("topics = [\"orders\"]\n{more}"));
    check("no_group", &member("commit = \"before-processing\""));
    check("group", &member("group = \"g\"\nfrom = \"end\"\n\"session.timeout.ms\" = 3000"));
    check("idempotence", &changed("acks = \"all\"", "acks = 1\n\"enable.idempotence\" = true"));
    let transactional = |more: &str| changed("acks = \"all\"", more);
    let without = "acks = \"all\"\ncommit-every = 5\n\"transaction.timeout.ms\" = 5000";
    check("no_transactional_id", &transactional(without));
    let wrong = "acks = 1\n\"transactional.id\" = \"\"\n\"enable.idempotence\" = false\n\
                 commit-every = 0\nabort-rate = \"3/2\"";
    check("transactions", &transactional(wrong));
    check("unknown_happening", &changed("\"isr-shrunk\"", "\"isr-shrank\""));
    let expect = "happened = [\"record-lost\"]\nnever = [\"record-lost\"]";
    let written = "happened = [\"leader-elected\", \"isr-shrunk\", \"isr-expanded\"]";
    check("contradictory_expectations", &changed(written, expect));
}

#[test]
fn wrong_faults() {
    let crash = "crash = \"leader(orders-0)\"";
    check("mistyped_fault", &changed("crash", "crahs"));
    check("no_fault", &changed("crash = \"leader(orders-0)\"\n", ""));
    check("two_faults_in_one", &changed(crash, &format!("{crash}\npause = \"b1\"")));
    check("unknown_node", &changed("leader(orders-0)", "b4"));
    check("unknown_role", &changed("leader(orders-0)", "leder(orders-0)"));
    check("partition_beyond", &changed("leader(orders-0)", "leader(orders-1)"));
    check("unknown_topic", &changed("leader(orders-0)", "leader(order-0)"));
    check("follower_beyond", &changed("leader(orders-0)", "follower(orders-0, 3)"));
    check("past_the_end", &changed("at = \"8s\"", "at = \"25s..31s\""));
    check("undone_past_the_end", &changed("at = \"8s\"", "at = \"26s\""));
    check("foreign_key", &changed("restart-after", "resume-after"));
    check(
        "restart_of_nothing",
        &changed(&format!("{crash}\nrestart-after = \"5s\""), "restart = \"b1\""),
    );
    let cut = "partition = \"b1\"\nfrom = [\"b1\", \"b2\"]\ndirection = \"inward\"";
    check("both_sides", &changed(&format!("{crash}\nrestart-after = \"5s\""), cut));
    let disk = "slow-disk = \"p0\"\nwrite = \"1ms\"";
    check("no_disk", &changed(&format!("{crash}\nrestart-after = \"5s\""), disk));
}

#[test]
fn wrong_commands() {
    let check = |name, release: &str, line: &str| {
        let text = EXAMPLE.replace("kafka = \"2.8\"", &format!("kafka = \"{release}\""));
        let command = format!("[[command]]\nat = \"9s\"\nrun = \"{line}\"\n[expect]");
        check(name, &text.replace("[expect]", &command));
    };
    check("command_unknown", "2.8", "kafka-topic --list");
    check("command_mistyped_option", "2.8", "kafka-topics --descrbe --topic orders");
    check("command_not_simulated", "2.8", "bin/kafka-topics.sh --create --topic orders");
    check("command_says_nothing", "2.8", "kafka-topics --topic orders");
    check("command_says_two_things", "2.8", "kafka-topics --list --describe");
    check(
        "command_two_filters",
        "2.8",
        "kafka-topics --describe --unavailable-partitions --under-replicated-partitions",
    );
    check("command_filter_of_list", "2.8", "kafka-topics --list --unavailable-partitions");
    check("command_without_value", "2.8", "kafka-topics --describe --topic");
    check("command_twice", "2.8", "kafka-topics --list --topic=orders --topic orders");
    check("command_unknown_topic", "2.8", "kafka-topics --describe --topic ordres");
    check("command_zookeeper_too_late", "3.0", "kafka-topics --list --zookeeper z1:2181");
    check("command_brokers_too_early", "2.1", "kafka-topics --list --bootstrap-server b1:9092");
    check("command_asks_both", "2.8", "kafka-topics --list --zookeeper z1 --bootstrap-server b1");
    check("command_unknown_host", "2.8", "kafka-topics --list --zookeeper b1:2181");
    check("command_wrong_port", "2.8", "kafka-topics --list --bootstrap-server b1:2181");
    check("command_empty", "2.8", "");
    let late = "[[command]]\nat = \"30s\"\nrun = \"kafka-topics --list\"\n[expect]";
    self::check("command_past_the_end", &EXAMPLE.replace("[expect]", late));
    let bare = "[[command]]\nat = \"9s\"\ncommand = \"kafka-topics --list\"\n[expect]";
    self::check("command_without_run", &EXAMPLE.replace("[expect]", bare));
    let taken = "name = \"shell-1\"";
    let command = "[[command]]\nat = \"9s\"\nrun = \"kafka-topics --list\"\n[expect]";
    let text = changed("name = \"c0\"", taken).replace("[expect]", command);
    self::check("command_name_taken", &text);
}

#[test]
fn wrong_toml() {
    check("syntax", &changed("brokers = 3", "brokers = "));
    check("duplicate_key", &changed("brokers = 3", "brokers = 3\nbrokers = 4"));
}

#[test]
fn all_mistakes_of_a_file_are_found_at_once() {
    let text = EXAMPLE
        .replace("kafka = \"2.8\"", "kafka = \"2.9\"")
        .replace("brokers = 3", "broker = 3")
        .replace("acks = \"all\"", "acks = 2")
        .replace("[\"orders\"]", "[\"ordres\"]")
        .replace("crash =", "crush =");
    check("many", &text);
}
