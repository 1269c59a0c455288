//! The assignors beside those of the real Java clients: `vectors/record.py` asked them about drawn groups.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

const VECTORS: &str = include_str!("vectors/assignors.json");

/// A group as it was drawn, and what each release answered.
#[derive(Deserialize)]
struct Group {
    /// Whether the leader is that of the group before.
    again: bool,
    /// For each partition the racks of its replicas, with spaces between them.
    topics: BTreeMap<String, Vec<String>>,
    members: Vec<Drawn>,
    answers: BTreeMap<String, Answers>,
}

#[derive(Deserialize)]
struct Drawn {
    id: String,
    instance: Option<String>,
    rack: Option<String>,
    topics: String,
    /// The partitions that it had.
    had: Option<String>,
    generation: Option<i32>,
}

/// Each answer after the releases that gave it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answers {
    /// The members by their places, in the order of the SyncGroup request.
    assigned: Vec<(String, String)>,
    throws: Vec<(String, String)>,
    subscriptions: Vec<(String, Vec<String>)>,
    assignments: Vec<(String, Vec<String>)>,
}

fn of<'a, T>(answers: &'a [(String, T)], release: &str) -> Option<&'a T> {
    let is_of = |releases: &str| releases.split(' ').any(|one| one == release);
    answers.iter().find(|(releases, _)| is_of(releases)).map(|(_, answer)| answer)
}

fn words(text: &str) -> Vec<Arc<str>> {
    text.split_whitespace().map(Arc::from).collect()
}

fn partitions(text: &str) -> Vec<TopicPartition> {
    let partition = |text: &str| {
        let (topic, partition) = text.rsplit_once('-').unwrap();
        TopicPartition::new(topic, partition.parse().unwrap())
    };
    text.split([' ', ',']).filter(|word| !word.is_empty()).map(partition).collect()
}

impl Group {
    fn topics(&self) -> Vec<Topic> {
        let racks = |partitions: &[String]| partitions.iter().map(|racks| words(racks)).collect();
        let topics = self.topics.iter();
        topics.map(|(name, of)| Topic { name: name.as_str().into(), racks: racks(of) }).collect()
    }
}

impl Drawn {
    /// What it writes into JoinGroup for `strategy`.
    fn subscription(&self, kafka: KafkaVersion, strategy: Strategy) -> Subscription {
        let mut assignor = Assignor::new(kafka, strategy);
        let had = self.had.as_deref().map(partitions);
        if let Some(had) = &had {
            assignor.assigned(had, self.generation.unwrap());
        }
        let is_cooperative = strategy.protocols().contains(&RebalanceProtocol::Cooperative);
        Subscription {
            topics: words(&self.topics),
            user_data: assignor.user_data(),
            owned: had.filter(|_| is_cooperative).unwrap_or_default(),
            generation: self.generation,
            rack: self.rack.as_deref().map(Arc::from),
        }
    }
}

/// Calls `check` for every release, group and strategy that was recorded, with the leader's assignor.
fn each_recorded(mut check: impl FnMut(KafkaVersion, &str, &Group, Strategy, &mut Assignor)) {
    let groups: Vec<Group> = serde_json::from_str(VECTORS).unwrap();
    let releases = &groups[0].answers["Range"].assigned[0].0;
    for release in releases.split(' ') {
        let kafka: KafkaVersion = release.parse().unwrap();
        for strategy in Strategy::ALL {
            if !strategy.exists(kafka) {
                continue;
            }
            let mut leader = Assignor::new(kafka, strategy);
            for group in &groups {
                if !group.again {
                    leader = Assignor::new(kafka, strategy);
                }
                check(kafka, release, group, strategy, &mut leader);
            }
        }
    }
}

/// The group's members as their leader reads them.
fn read(kafka: KafkaVersion, group: &Group, strategy: Strategy) -> Vec<Member> {
    let read = |drawn: &Drawn| {
        let written = drawn.subscription(kafka, strategy).encode(kafka);
        let subscription = Subscription::decode(kafka, written).unwrap();
        let instance = drawn.instance.as_deref().map(Arc::from);
        Member { id: drawn.id.as_str().into(), instance, subscription }
    };
    group.members.iter().map(read).collect()
}

fn class(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Range => "Range",
        Strategy::RoundRobin => "RoundRobin",
        Strategy::Sticky => "Sticky",
        Strategy::CooperativeSticky => "CooperativeSticky",
    }
}

#[test]
fn assignors_answer_as_the_java_client() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    each_recorded(|kafka, release, group, strategy, leader| {
        let answers = &group.answers[class(strategy)];
        let members = read(kafka, group, strategy);
        let place = |id: &str| group.members.iter().position(|member| member.id == id).unwrap();
        let text = match leader.assign(&group.topics(), &members) {
            Err(error) => error.to_string(),
            Ok(shares) => {
                let share = |(id, share): &(Arc<str>, Vec<TopicPartition>)| {
                    let share: Vec<_> = share.iter().map(ToString::to_string).collect();
                    format!("{}:{}", place(id), share.join(","))
                };
                shares.iter().map(share).collect::<Vec<_>>().join(" ")
            }
        };
        let recorded = of(&answers.assigned, release).or_else(|| of(&answers.throws, release));
        let recorded = recorded.expect("it was recorded");
        if text != *recorded {
            let first = &group.members[0].id;
            wrong.push(format!("{release} {strategy:?} {first}\n  not {recorded}\n  but {text}"));
        }
        compared += 1;
    });
    let some = wrong[..wrong.len().min(8)].join("\n");
    assert!(wrong.is_empty(), "{} of {compared}:\n{some}", wrong.len());
    assert_eq!(compared, 9000);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn subscriptions_have_the_bytes_of_their_release() {
    let mut compared = 0;
    each_recorded(|kafka, release, group, strategy, _| {
        let answers = &group.answers[class(strategy)];
        let Some(recorded) = of(&answers.subscriptions, release) else { return };
        for (member, recorded) in group.members.iter().zip(recorded) {
            let written = member.subscription(kafka, strategy).encode(kafka);
            assert_eq!(hex(&written), *recorded, "{release} {strategy:?} {}", member.id);
            compared += 1;
        }
    });
    assert!(compared > 1000, "{compared}");
}

#[test]
fn assignments_have_the_bytes_of_their_release() {
    let mut compared = 0;
    each_recorded(|kafka, release, group, strategy, leader| {
        let answers = &group.answers[class(strategy)];
        let members = read(kafka, group, strategy);
        let Ok(assigned) = leader.assign(&group.topics(), &members) else { return };
        let Some(recorded) = of(&answers.assignments, release) else { return };
        for ((member, share), recorded) in assigned.iter().zip(recorded) {
            let written = encode_assignment(kafka, share);
            assert_eq!(hex(&written), *recorded, "{release} {strategy:?} {member}");
            let read = decode_assignment(kafka, written).unwrap();
            assert_eq!(read.len(), share.len());
            compared += 1;
        }
    });
    assert!(compared > 1000, "{compared}");
}

#[test]
fn bytes_of_another_kind_are_refused() {
    let kafka = KafkaVersion::default();
    let read = |bytes: &'static [u8]| Subscription::decode(kafka, Bytes::from_static(bytes));
    assert_eq!(read(&[0]), Err(NotOfConsumers::NoVersion));
    assert_eq!(read(&[0xff, 0xff, 0, 0, 0, 0]), Err(NotOfConsumers::Version(-1)));
    assert_eq!(read(&[0, 1, 0, 0, 0, 9]), Err(NotOfConsumers::Broken(1)));
    let of_the_future = Subscription { topics: words("t"), ..Subscription::default() };
    let mut bytes = of_the_future.encode(kafka).to_vec();
    bytes[1] = 9;
    assert_eq!(Subscription::decode(kafka, bytes.into()), Ok(of_the_future));
}
