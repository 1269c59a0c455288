//! What a cluster leaves in ZooKeeper, as an operator with `zkCli.sh` sees it.

use std::fmt::Write;
use std::time::Duration;

use super::cluster::{await_cluster, create_topic};
use crate::nodes::testing::Cluster;
use crate::nodes::zookeeper::{Lifetime, Tree};
use crate::releases::KafkaVersion;

/// A line for each znode: path, E if it is ephemeral, version of its data, the data.
fn listing(tree: &Tree, path: &str, text: &mut String) {
    let znode = tree.get(path).expect("it was listed");
    let ephemeral = matches!(znode.lifetime, Lifetime::Ephemeral { .. });
    let kind = if ephemeral { 'E' } else { 'P' };
    let data = match &znode.data {
        Some(data) if data.is_empty() => "empty".to_owned(),
        Some(data) => normalised(std::str::from_utf8(data).expect("Kafka writes text")),
        None => "null".to_owned(),
    };
    writeln!(text, "{path} {kind} v{} {data}", znode.version).expect("a text takes everything");
    for child in &znode.children {
        let slash = if path == "/" { "" } else { "/" };
        listing(tree, &format!("{path}{slash}{child}"), text);
    }
}

/// Times and random ids are of the run, not of the release.
fn normalised(data: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(data) else {
        return data.to_owned();
    };
    let mut text = data.to_owned();
    for key in ["timestamp", "id", "topic_id"] {
        if let Some(serde_json::Value::String(value)) = json.get_mut(key) {
            text = text.replace(&*value, &format!("<{key} of {} characters>", value.len()));
        }
    }
    text
}

#[test]
fn a_started_cluster_has_the_znodes_of_its_release() {
    for version in [KafkaVersion::new(1, 0), KafkaVersion::new(2, 8)] {
        let mut cluster = Cluster::new(version, 3);
        let controller = await_cluster(&mut cluster);
        create_topic(&mut cluster, controller);
        cluster.run_for(Duration::from_secs(1));
        let mut text = String::new();
        listing(cluster.tree(), "/", &mut text);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../../../../snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("znodes-{version}"), text));
    }
}

#[test]
fn the_root_lists_what_the_owner_of_a_1_0_cluster_sees() {
    let mut cluster = Cluster::new(KafkaVersion::new(1, 0), 3);
    await_cluster(&mut cluster);
    let children: Vec<_> = cluster.tree().get("/").expect("the root").children.iter().collect();
    let mut listed: Vec<&str> = "controller_epoch, controller, brokers, isr_change_notification, \
        consumers, log_dir_event_notification, latest_producer_id_block, config, \
        cluster, admin, zookeeper"
        .split(", ")
        .collect();
    listed.sort_unstable();
    assert_eq!(children.iter().map(|name| &***name).collect::<Vec<_>>(), listed);
}
