//! The JSON of Kafka's znodes ⇄ values.
//!
//! Key order on writing is what the release writes (Kafka serializes unordered maps, so the order follows
//! Scala's hashing; verified orders are in the fact sheet, others are documented at the type). Reading does
//! not depend on the order and ignores unknown keys, as Kafka's own reading does.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::properties::Properties;
use crate::nodes::broker::Endpoint;
use crate::releases::{Change, KafkaVersion};
use crate::vocab::{BrokerId, ControllerEpoch, LeaderEpoch, Stream, TopicPartition};
use crate::wire::kafka::TEXT_MAX;

/// Data of a znode that is not what Kafka writes there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("znode data is no {what}: {why}")]
pub struct PayloadError {
    /// What was expected.
    pub what: &'static str,
    /// What is wrong.
    pub why: String,
}

fn read<'a, T: Deserialize<'a>>(what: &'static str, data: &'a [u8]) -> Result<T, PayloadError> {
    serde_json::from_slice(data).map_err(|why| PayloadError { what, why: why.to_string() })
}

fn write(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("these values have only string keys").into()
}

fn number(what: &'static str, text: &str) -> Result<i64, PayloadError> {
    text.parse().map_err(|_| PayloadError { what, why: format!("`{text}` is no number") })
}

/// Name of the listener that the cluster's own nodes use (`inter.broker.listener.name`).
pub const PLAINTEXT: &str = "PLAINTEXT";
/// Name of the listener for clients from outside.
pub const EXTERNAL: &str = "EXTERNAL";

/// A broker's registration, `/brokers/ids/N`: the listener of the cluster's own nodes, and perhaps one for
/// clients from outside. Both are of security protocol PLAINTEXT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// Under which others reach it.
    pub host: String,
    /// The listener's port.
    pub port: i32,
    /// The listener for external clients. It is first among the endpoints, so that readers of `host` and
    /// `port`, which Kafka takes from the first endpoint of its protocol, get it too.
    pub external: Option<Endpoint>,
    /// `broker.rack`
    pub rack: Option<String>,
    /// When it registered: wall clock, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

#[derive(Serialize)]
struct BrokerV4<'a> {
    listener_security_protocol_map: BTreeMap<&'a str, &'a str>,
    endpoints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<&'a str>,
    jmx_port: i32,
    host: &'a str,
    timestamp: String,
    port: i32,
    version: i32,
}

#[derive(Serialize)]
struct BrokerV5<'a> {
    features: BTreeMap<&'a str, i16>,
    listener_security_protocol_map: BTreeMap<&'a str, &'a str>,
    endpoints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<&'a str>,
    jmx_port: i32,
    port: i32,
    host: &'a str,
    version: i32,
    timestamp: String,
}

#[derive(Deserialize)]
struct BrokerRead {
    version: i32,
    #[serde(default)]
    endpoints: Vec<String>,
    host: Option<String>,
    port: i32,
    timestamp: Option<String>,
    rack: Option<String>,
}

impl BrokerRegistration {
    /// A broker with the one listener that the cluster's own nodes use.
    pub fn plaintext(host: String, port: i32, timestamp_ms: i64) -> Self {
        Self { host, port, external: None, rack: None, timestamp_ms }
    }

    /// As the release writes it: version 5 since 2.7, version 4 before.
    pub fn encode(&self, version: KafkaVersion) -> Bytes {
        let mut listeners = BTreeMap::from([(PLAINTEXT, PLAINTEXT)]);
        let mut endpoints = vec![format!("{PLAINTEXT}://{}:{}", self.host, self.port)];
        let (mut host, mut port) = (self.host.as_str(), self.port);
        if let Some(external) = &self.external {
            listeners.insert(EXTERNAL, PLAINTEXT);
            (host, port) = (external.host.as_str(), external.port);
            endpoints.insert(0, format!("{EXTERNAL}://{host}:{port}"));
        }
        let timestamp = self.timestamp_ms.to_string();
        if version.has(Change::FinalizedFeatures) {
            return write(&BrokerV5 {
                features: BTreeMap::new(),
                listener_security_protocol_map: listeners,
                endpoints,
                rack: self.rack.as_deref(),
                jmx_port: -1,
                port,
                host,
                version: 5,
                timestamp,
            });
        }
        write(&BrokerV4 {
            listener_security_protocol_map: listeners,
            endpoints,
            rack: self.rack.as_deref(),
            jmx_port: -1,
            host,
            timestamp,
            port,
            version: 4,
        })
    }

    /// Reads a registration of any version with a listener of protocol PLAINTEXT. Of several, the one that is
    /// called so is the cluster's own.
    ///
    /// # Errors
    /// When it is something else.
    pub fn decode(data: &[u8]) -> Result<Self, PayloadError> {
        const WHAT: &str = "broker registration";
        let error = |why: &str| PayloadError { what: WHAT, why: why.to_owned() };
        let read: BrokerRead = read(WHAT, data)?;
        if read.version < 1 {
            return Err(error("its version is below 1"));
        }
        let timestamp_ms = number(WHAT, read.timestamp.as_deref().unwrap_or("0"))?;
        let named = |name| read.endpoints.iter().find_map(|text| endpoint(name, text));
        let Endpoint { host, port } = match (named(PLAINTEXT), read.host) {
            (Some(own), _) => own,
            (None, Some(host)) => Endpoint { host, port: read.port },
            (None, None) => return Err(error("it has no PLAINTEXT listener")),
        };
        let external = named(EXTERNAL);
        let hosts = [Some(&host), external.as_ref().map(|at| &at.host), read.rack.as_ref()];
        if hosts.into_iter().flatten().any(|text| text.len() > TEXT_MAX) {
            return Err(error("a host or rack is longer than a request can say"));
        }
        Ok(Self { host, port, external, rack: read.rack, timestamp_ms })
    }
}

/// The endpoint in `NAME://host:port`, if that is its name.
fn endpoint(name: &str, text: &str) -> Option<Endpoint> {
    let (host, port) = text.strip_prefix(name)?.strip_prefix("://")?.rsplit_once(':')?;
    Some(Endpoint { host: host.to_owned(), port: port.parse().ok()? })
}

/// A topic's assignment, `/brokers/topics/T`.
///
/// Written as version 1 (to 2.3), 2 with the replicas being added and removed (2.4+), 3 with the topic's id
/// (2.8+). Partitions are written in ascending order; Kafka's own order is that of a hash map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicAssignment {
    /// Replicas by partition; the first is the preferred leader.
    pub partitions: BTreeMap<i32, Vec<BrokerId>>,
    /// Replicas being added, of partitions that are reassigned.
    pub adding_replicas: BTreeMap<i32, Vec<BrokerId>>,
    /// Replicas being removed, of partitions that are reassigned.
    pub removing_replicas: BTreeMap<i32, Vec<BrokerId>>,
    /// The topic's id (2.8+).
    pub topic_id: Option<Uuid>,
}

type Replicas = BTreeMap<String, Vec<i32>>;

/// Keys are texts in JSON; a list of pairs keeps them in numeric order on writing.
struct InOrder<'a>(&'a BTreeMap<i32, Vec<BrokerId>>);

impl Serialize for InOrder<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(partition, replicas)| {
            (partition.to_string(), replicas.iter().map(|id| id.0).collect::<Vec<_>>())
        }))
    }
}

#[derive(Serialize)]
struct TopicV1<'a> {
    version: i32,
    partitions: InOrder<'a>,
}

#[derive(Serialize)]
struct TopicV2<'a> {
    version: i32,
    partitions: InOrder<'a>,
    adding_replicas: InOrder<'a>,
    removing_replicas: InOrder<'a>,
}

#[derive(Serialize)]
struct TopicV3<'a> {
    partitions: InOrder<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_id: Option<String>,
    adding_replicas: InOrder<'a>,
    removing_replicas: InOrder<'a>,
    version: i32,
}

#[derive(Deserialize)]
struct TopicRead {
    partitions: Replicas,
    #[serde(default)]
    adding_replicas: Replicas,
    #[serde(default)]
    removing_replicas: Replicas,
    topic_id: Option<String>,
}

impl TopicAssignment {
    /// As the release writes it.
    pub fn encode(&self, version: KafkaVersion) -> Bytes {
        let partitions = InOrder(&self.partitions);
        let adding_replicas = InOrder(&self.adding_replicas);
        let removing_replicas = InOrder(&self.removing_replicas);
        if version.has(Change::TopicIds) {
            let topic_id = self.topic_id.map(encode_uuid);
            write(&TopicV3 { partitions, topic_id, adding_replicas, removing_replicas, version: 3 })
        } else if version.has(Change::ReassignmentInTopicZnode) {
            write(&TopicV2 { version: 2, partitions, adding_replicas, removing_replicas })
        } else {
            write(&TopicV1 { version: 1, partitions })
        }
    }

    /// Reads an assignment of any version.
    ///
    /// # Errors
    /// When it is something else.
    pub fn decode(data: &[u8]) -> Result<Self, PayloadError> {
        const WHAT: &str = "topic assignment";
        let read: TopicRead = read(WHAT, data)?;
        let by_partition = |replicas: Replicas| {
            let pairs = replicas.into_iter().map(|(partition, ids)| {
                let index = partition.parse().map_err(|_| PayloadError {
                    what: WHAT,
                    why: format!("`{partition}` is no partition"),
                })?;
                Ok((index, ids.into_iter().map(BrokerId).collect()))
            });
            pairs.collect::<Result<BTreeMap<i32, Vec<BrokerId>>, PayloadError>>()
        };
        Ok(Self {
            partitions: by_partition(read.partitions)?,
            adding_replicas: by_partition(read.adding_replicas)?,
            removing_replicas: by_partition(read.removing_replicas)?,
            topic_id: read.topic_id.as_deref().map(decode_uuid).transpose()?,
        })
    }
}

/// A partition's state, `/brokers/topics/T/partitions/P/state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// Epoch of the controller that wrote it, or that made the writing leader a leader.
    pub controller_epoch: ControllerEpoch,
    /// The leader; −1 is none.
    pub leader: BrokerId,
    /// Epoch of the leader.
    pub leader_epoch: LeaderEpoch,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
}

#[derive(Serialize, Deserialize)]
struct PartitionStateV1 {
    controller_epoch: i32,
    leader: i32,
    version: i32,
    leader_epoch: i32,
    isr: Vec<i32>,
}

impl PartitionState {
    /// "No leader".
    pub const NO_LEADER: BrokerId = BrokerId(-1);

    /// Version 1, which all releases write (3.2+ adds `leader_recovery_state` only while recovering).
    pub fn encode(&self) -> Bytes {
        write(&PartitionStateV1 {
            controller_epoch: self.controller_epoch,
            leader: self.leader.0,
            version: 1,
            leader_epoch: self.leader_epoch,
            isr: self.isr.iter().map(|id| id.0).collect(),
        })
    }

    /// Reads a state.
    ///
    /// # Errors
    /// When it is something else.
    pub fn decode(data: &[u8]) -> Result<Self, PayloadError> {
        let read: PartitionStateV1 = read("partition state", data)?;
        Ok(Self {
            controller_epoch: read.controller_epoch,
            leader: BrokerId(read.leader),
            leader_epoch: read.leader_epoch,
            isr: read.isr.into_iter().map(BrokerId).collect(),
        })
    }
}

/// The elected controller, `/controller`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// The broker.
    pub broker: BrokerId,
    /// When it was elected: wall clock, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct ControllerJson {
    version: i32,
    brokerid: i32,
    timestamp: String,
    #[serde(rename = "kraftControllerEpoch", skip_serializing_if = "Option::is_none", default)]
    kraft_controller_epoch: Option<i32>,
}

impl Controller {
    /// As the release writes it: version 2 since 3.4, version 1 before.
    pub fn encode(&self, version: KafkaVersion) -> Bytes {
        let migrates = version.has(Change::MigrationInControllerZnode);
        write(&ControllerJson {
            version: if migrates { 2 } else { 1 },
            brokerid: self.broker.0,
            timestamp: self.timestamp_ms.to_string(),
            kraft_controller_epoch: migrates.then_some(-1),
        })
    }

    /// Reads a controller of any version.
    ///
    /// # Errors
    /// When it is something else.
    pub fn decode(data: &[u8]) -> Result<Self, PayloadError> {
        const WHAT: &str = "controller";
        let read: ControllerJson = read(WHAT, data)?;
        let timestamp_ms = number(WHAT, &read.timestamp)?;
        Ok(Self { broker: BrokerId(read.brokerid), timestamp_ms })
    }
}

/// `/controller_epoch`: bare decimal text.
pub fn encode_controller_epoch(epoch: ControllerEpoch) -> Bytes {
    epoch.to_string().into()
}

/// Reads `/controller_epoch`.
///
/// # Errors
/// When it is no number.
pub fn decode_controller_epoch(data: &[u8]) -> Result<ControllerEpoch, PayloadError> {
    let error = || PayloadError { what: "controller epoch", why: format!("{data:?}") };
    std::str::from_utf8(data).ok().and_then(|text| text.parse().ok()).ok_or_else(error)
}

#[derive(Serialize, Deserialize)]
struct PartitionName {
    topic: String,
    partition: i32,
}

#[derive(Serialize, Deserialize)]
struct PartitionNames {
    version: i32,
    partitions: Vec<PartitionName>,
}

/// A list of partitions: an ISR change notification, or `/admin/preferred_replica_election`.
pub fn encode_partitions<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> Bytes {
    let name = |at: &TopicPartition| PartitionName {
        topic: at.topic.to_string(),
        partition: at.partition,
    };
    write(&PartitionNames { version: 1, partitions: partitions.into_iter().map(name).collect() })
}

/// Reads a list of partitions.
///
/// # Errors
/// When it is something else.
pub fn decode_partitions(data: &[u8]) -> Result<Vec<TopicPartition>, PayloadError> {
    let read: PartitionNames = read("list of partitions", data)?;
    Ok(read.partitions.into_iter().map(|at| TopicPartition::new(at.topic, at.partition)).collect())
}

#[derive(Serialize, Deserialize)]
struct ReassignedPartition {
    topic: String,
    partition: i32,
    replicas: Vec<i32>,
}

#[derive(Serialize, Deserialize)]
struct Reassignment {
    version: i32,
    partitions: Vec<ReassignedPartition>,
}

/// `/admin/reassign_partitions`: the replicas that partitions are to have.
pub fn encode_reassignment(wanted: &[(TopicPartition, Vec<BrokerId>)]) -> Bytes {
    let row = |(at, replicas): &(TopicPartition, Vec<BrokerId>)| ReassignedPartition {
        topic: at.topic.to_string(),
        partition: at.partition,
        replicas: replicas.iter().map(|id| id.0).collect(),
    };
    write(&Reassignment { version: 1, partitions: wanted.iter().map(row).collect() })
}

/// Reads what partitions are to have.
///
/// # Errors
/// When it is something else.
pub fn decode_reassignment(
    data: &[u8],
) -> Result<Vec<(TopicPartition, Vec<BrokerId>)>, PayloadError> {
    let read: Reassignment = read("reassignment", data)?;
    let row = |row: ReassignedPartition| {
        let at = TopicPartition::new(row.topic, row.partition);
        (at, row.replicas.into_iter().map(BrokerId).collect())
    };
    Ok(read.partitions.into_iter().map(row).collect())
}

#[derive(Serialize, Deserialize)]
struct EntityConfig<C> {
    version: i32,
    config: C,
}

/// `/config/topics/T`: the settings of a topic.
pub fn encode_config(config: &BTreeMap<String, String>) -> Bytes {
    write(&EntityConfig { version: 1, config: Properties(config) })
}

/// Reads settings; no data is no settings.
///
/// # Errors
/// When it is something else.
pub fn decode_config(data: &[u8]) -> Result<BTreeMap<String, String>, PayloadError> {
    if data.is_empty() {
        return Ok(BTreeMap::new());
    }
    Ok(read::<EntityConfig<_>>("entity config", data)?.config)
}

#[derive(Deserialize)]
struct ConfigChange {
    entity_path: String,
}

/// The entity path, like `topics/orders`, of a settings notification
/// (`/config/changes/config_change_…`).
///
/// # Errors
/// When it is something else.
pub fn decode_config_change(data: &[u8]) -> Result<String, PayloadError> {
    Ok(read::<ConfigChange>("config change", data)?.entity_path)
}

#[derive(Serialize)]
struct ConfigChangeV2<'a> {
    version: i32,
    entity_path: &'a str,
}

/// A settings notification about an entity, like `topics/orders`.
pub fn encode_config_change(entity: &str) -> Bytes {
    write(&ConfigChangeV2 { version: 2, entity_path: entity })
}

#[derive(Serialize, Deserialize)]
struct ClusterId {
    version: String,
    id: String,
}

/// `/cluster/id`; the version is a text.
pub fn encode_cluster_id(id: &str) -> Bytes {
    write(&ClusterId { version: "1".to_owned(), id: id.to_owned() })
}

/// Reads the cluster's id.
///
/// # Errors
/// When it is something else.
pub fn decode_cluster_id(data: &[u8]) -> Result<String, PayloadError> {
    Ok(read::<ClusterId>("cluster id", data)?.id)
}

/// `/feature` (2.7+): no finalized feature; `status` 1 is "enabled", version 2 since 3.3.
pub fn encode_feature(version: KafkaVersion) -> Bytes {
    let layout = if version.has(Change::FeatureZnodeWithoutMinimum) { 2 } else { 1 };
    format!(r#"{{"features":{{}},"version":{layout},"status":1}}"#).into()
}

/// A uuid as Kafka prints it: URL-safe base64 without padding, 22 characters.
pub fn encode_uuid(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

/// The uuid that Kafka prints so.
///
/// # Errors
/// When it is something else.
pub fn decode_uuid(text: &str) -> Result<Uuid, PayloadError> {
    let error = |why: String| PayloadError { what: "uuid", why };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|why| error(why.to_string()))?;
    Uuid::from_slice(&bytes).map_err(|why| error(why.to_string()))
}

/// A random uuid, as Java's `UUID.randomUUID` makes it (version 4).
pub fn random_uuid(stream: &mut Stream) -> Uuid {
    let mut bytes = [0; 16];
    stream.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Seed;

    const V: fn(u8, u8) -> KafkaVersion = KafkaVersion::new;

    fn text(data: &Bytes) -> &str {
        std::str::from_utf8(data).unwrap()
    }

    fn ids(ids: &[i32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    #[test]
    fn an_external_listener_comes_first_and_the_internal_one_is_still_found() {
        let external = Endpoint { host: "127.0.0.1".into(), port: 40_123 };
        for version in [V(1, 0), V(2, 8)] {
            let mut broker = BrokerRegistration::plaintext("b1".into(), 9092, 7);
            broker.external = Some(external.clone());
            let data = broker.encode(version);
            let endpoints = r#""endpoints":["EXTERNAL://127.0.0.1:40123","PLAINTEXT://b1:9092"]"#;
            assert!(text(&data).contains(endpoints), "{}", text(&data));
            assert!(text(&data).contains(r#""host":"127.0.0.1""#), "{}", text(&data));
            assert!(text(&data).contains(r#""port":40123"#), "{}", text(&data));
            assert_eq!(BrokerRegistration::decode(&data), Ok(broker));
        }
    }

    #[test]
    fn registrations_are_written_as_the_release_writes_them() {
        let broker = BrokerRegistration::plaintext("h".into(), 9092, 1_614_570_663_881);
        assert_eq!(
            text(&broker.encode(V(1, 0))),
            concat!(
                r#"{"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"#,
                r#""endpoints":["PLAINTEXT://h:9092"],"jmx_port":-1,"host":"h","#,
                r#""timestamp":"1614570663881","port":9092,"version":4}"#,
            )
        );
        assert_eq!(
            text(&broker.encode(V(2, 8))),
            concat!(
                r#"{"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"#,
                r#""endpoints":["PLAINTEXT://h:9092"],"jmx_port":-1,"port":9092,"host":"h","#,
                r#""version":5,"timestamp":"1614570663881"}"#,
            )
        );
        for &version in KafkaVersion::ALL {
            assert_eq!(BrokerRegistration::decode(&broker.encode(version)), Ok(broker.clone()));
        }
    }

    #[test]
    fn assignments_are_written_as_the_release_writes_them() {
        let topic = TopicAssignment {
            partitions: BTreeMap::from([(0, ids(&[1, 2])), (10, ids(&[3])), (2, ids(&[2]))]),
            topic_id: Some(Uuid::from_bytes([7; 16])),
            ..TopicAssignment::default()
        };
        assert_eq!(
            text(&topic.encode(V(1, 0))),
            r#"{"version":1,"partitions":{"0":[1,2],"2":[2],"10":[3]}}"#
        );
        assert_eq!(
            text(&topic.encode(V(2, 4))),
            concat!(
                r#"{"version":2,"partitions":{"0":[1,2],"2":[2],"10":[3]},"adding_replicas":{},"#,
                r#""removing_replicas":{}}"#,
            )
        );
        assert!(text(&topic.encode(V(2, 8))).ends_with(r#""removing_replicas":{},"version":3}"#));
        assert_eq!(TopicAssignment::decode(&topic.encode(V(2, 8))), Ok(topic.clone()));
        let without_id = TopicAssignment { topic_id: None, ..topic.clone() };
        assert_eq!(TopicAssignment::decode(&topic.encode(V(1, 0))), Ok(without_id));
    }

    #[test]
    fn states_and_controllers_are_written_as_kafka_writes_them() {
        let state = PartitionState {
            controller_epoch: 1,
            leader: BrokerId(2),
            leader_epoch: 0,
            isr: ids(&[2, 3]),
        };
        let json = r#"{"controller_epoch":1,"leader":2,"version":1,"leader_epoch":0,"isr":[2,3]}"#;
        assert_eq!(text(&state.encode()), json);
        assert_eq!(PartitionState::decode(json.as_bytes()), Ok(state));

        let controller = Controller { broker: BrokerId(3), timestamp_ms: 1_535_943_857_541 };
        assert_eq!(
            text(&controller.encode(V(1, 0))),
            r#"{"version":1,"brokerid":3,"timestamp":"1535943857541"}"#
        );
        assert_eq!(
            text(&controller.encode(V(3, 4))),
            r#"{"version":2,"brokerid":3,"timestamp":"1535943857541","kraftControllerEpoch":-1}"#
        );
        for version in [V(1, 0), V(3, 4)] {
            assert_eq!(Controller::decode(&controller.encode(version)), Ok(controller.clone()));
        }
    }

    #[test]
    fn small_payloads_are_written_as_kafka_writes_them() {
        let at = TopicPartition::new("t", 0);
        let list = encode_partitions([&at]);
        assert_eq!(text(&list), r#"{"version":1,"partitions":[{"topic":"t","partition":0}]}"#);
        assert_eq!(decode_partitions(&list), Ok(vec![at]));
        let config = BTreeMap::from([("min.insync.replicas".to_owned(), "2".to_owned())]);
        let data = encode_config(&config);
        assert_eq!(text(&data), r#"{"version":1,"config":{"min.insync.replicas":"2"}}"#);
        assert_eq!(decode_config(&data), Ok(config));
        let change = br#"{"version":2,"entity_path":"topics/t"}"#;
        assert_eq!(decode_config_change(change).as_deref(), Ok("topics/t"));
        assert_eq!(text(&encode_cluster_id("x")), r#"{"version":"1","id":"x"}"#);
        assert_eq!(decode_controller_epoch(&encode_controller_epoch(12)), Ok(12));
        assert_eq!(text(&encode_feature(V(2, 8))), r#"{"features":{},"version":1,"status":1}"#);
    }

    #[test]
    fn uuids_print_as_in_java() {
        assert_eq!(encode_uuid(Uuid::nil()), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(encode_uuid(Uuid::max()), "_____________________w");
        let id = random_uuid(&mut Seed(1).stream("test"));
        assert_eq!((id.get_version_num(), decode_uuid(&encode_uuid(id))), (4, Ok(id)));
        for text in ["short", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAA+/"] {
            assert!(decode_uuid(text).is_err(), "{text}");
        }
    }

    #[test]
    fn garbage_is_an_error() {
        for data in [&b""[..], b"{}", b"[]", b"\xff", b"{\"version\":1"] {
            assert!(BrokerRegistration::decode(data).is_err());
            assert!(TopicAssignment::decode(data).is_err());
            assert!(PartitionState::decode(data).is_err());
            assert!(Controller::decode(data).is_err());
            assert!(decode_partitions(data).is_err());
            assert!(decode_controller_epoch(data).is_err());
        }
    }
}
