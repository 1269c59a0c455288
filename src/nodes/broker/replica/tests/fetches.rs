//! Fetch: sessions, replicas that serve consumers, and what an answer has besides records.

use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_request::ForgottenTopic;
use kafka_protocol::messages::fetch_response::PartitionData;

use super::*;

fn in_session(mut request: FetchRequest, id: i32, epoch: i32) -> FetchRequest {
    request.session_id = id;
    request.session_epoch = epoch;
    request
}

fn answer(cluster: &mut Cluster, request: FetchRequest) -> FetchResponse {
    let sent = cluster.request(1, 11, request);
    cluster.response(sent).expect("a fetch that does not wait is answered")
}

fn values(response: &FetchResponse) -> Vec<String> {
    let parts = response.responses.iter().flat_map(|topic| &topic.partitions);
    let records = parts.filter_map(|part| part.records.clone());
    records.flat_map(|records| Batch::all(&records).collect::<Vec<_>>()).fold(
        Vec::new(),
        |mut all, batch| {
            all.extend(texts(&batch.unwrap()));
            all
        },
    )
}

/// Names nothing.
fn same(id: i32, epoch: i32) -> FetchRequest {
    in_session(FetchRequest::default().with_min_bytes(1), id, epoch)
}

/// Opens a session that reads from offset 3 on.
fn opened(cluster: &mut Cluster) -> i32 {
    let response = answer(cluster, in_session(Cluster::fetch_request(3, 0), 0, 0));
    assert_eq!((response.error_code, response.responses.len()), (0, 1), "a full answer");
    assert!(response.session_id > 0);
    response.session_id
}

#[test]
fn a_session_answers_what_is_new_of_what_was_asked_before() {
    let mut cluster = filled(NEWEST);
    let id = opened(&mut cluster);
    let nothing = answer(&mut cluster, same(id, 1));
    assert_eq!((nothing.session_id, nothing.responses.len()), (id, 0), "nothing is new");
    cluster.produce(1, -1, "d");
    assert_eq!(values(&answer(&mut cluster, same(id, 2))), ["d"]);
    assert_eq!(values(&answer(&mut cluster, same(id, 3))), ["d"], "the offset is still 3");
    let next = in_session(Cluster::fetch_request(4, 0), id, 4);
    assert_eq!(answer(&mut cluster, next).responses.len(), 0);
    // The leader's epoch is newer: an error each time, and the partition once more when it is over.
    let mut fenced = in_session(Cluster::fetch_request(4, 0), id, 5);
    fenced.topics[0].partitions[0].current_leader_epoch = 1;
    for request in [fenced, same(id, 6)] {
        assert_eq!(answer(&mut cluster, request).responses[0].partitions[0].error_code, 74);
    }
    let again = answer(&mut cluster, in_session(Cluster::fetch_request(4, 0), id, 7));
    assert_eq!(again.responses[0].partitions[0].high_watermark, 4);
}

#[test]
fn a_request_of_another_session_or_epoch_is_refused() {
    let mut cluster = filled(NEWEST);
    let id = opened(&mut cluster);
    let (wrong, unknown) = (same(id, 2), same(id ^ 1, 1));
    assert_eq!(answer(&mut cluster, wrong).error_code, 71, "INVALID_FETCH_SESSION_EPOCH");
    assert_eq!(answer(&mut cluster, unknown).error_code, 70, "FETCH_SESSION_ID_NOT_FOUND");
    assert_eq!(answer(&mut cluster, same(id, 1)).error_code, 0, "the session goes on");
    // Epoch 0 with an id opens another session and ends this one; epoch −1 opens none.
    let other = answer(&mut cluster, in_session(Cluster::fetch_request(3, 0), id, 0)).session_id;
    assert!(other != id && other > 0);
    assert_eq!(answer(&mut cluster, same(id, 2)).error_code, 70);
    let closed = answer(&mut cluster, in_session(Cluster::fetch_request(0, 0), other, -1));
    assert_eq!((closed.session_id, values(&closed).len()), (0, 3));
    assert_eq!(answer(&mut cluster, same(other, 1)).error_code, 70);
    let id = opened(&mut cluster);
    let all = ForgottenTopic::default().with_topic(topic()).with_partitions(vec![0]);
    let forgets = same(id, 1).with_forgotten_topics_data(vec![all]);
    let empty = answer(&mut cluster, forgets);
    assert_eq!((empty.error_code, empty.session_id), (0, 0), "nothing is left of it");
    assert_eq!(answer(&mut cluster, same(id, 2)).error_code, 70);
}

#[test]
fn a_session_ends_with_the_broker_that_has_it() {
    let mut cluster = filled(NEWEST);
    let id = opened(&mut cluster);
    cluster.crash(1);
    cluster.start(1);
    assert_eq!(answer(&mut cluster, same(id, 1)).error_code, 70);
}

#[test]
fn a_fetch_of_a_session_waits_until_something_is_new() {
    let mut cluster = filled(NEWEST);
    let id = opened(&mut cluster);
    let waiting = cluster.request(1, 11, same(id, 1).with_max_wait_ms(5_000));
    assert_eq!(cluster.response(waiting), None);
    cluster.produce(1, -1, "d");
    assert_eq!(values(&cluster.response(waiting).unwrap()), ["d"]);
    // The next request on another connection answers the one that waits.
    let next = in_session(Cluster::fetch_request(4, 0), id, 2).with_max_wait_ms(5_000);
    let waiting = cluster.request(1, 11, next);
    assert_eq!(answer(&mut cluster, same(id, 3)).error_code, 0);
    assert_eq!(cluster.response(waiting).unwrap().responses.len(), 0);
}

#[test]
fn a_partition_that_is_named_twice_is_answered_once() {
    let mut cluster = filled(NEWEST);
    let mut request = Cluster::fetch_request(0, 0);
    let again = request.topics[0].partitions[0].clone().with_fetch_offset(2);
    request.topics[0].partitions.push(again);
    assert_eq!(values(&answer(&mut cluster, request)), ["c"], "as it is named last");
}

#[test]
fn without_room_there_is_no_session() {
    let mut cluster = Cluster::tuned(NEWEST, |config| config.max_fetch_sessions = 0);
    cluster.elect(1, 2, &[1, 2, 3]);
    cluster.produce(1, -1, "a");
    let response = answer(&mut cluster, in_session(Cluster::fetch_request(0, 0), 0, 0));
    assert_eq!((response.session_id, values(&response).len()), (0, 1));
    cluster.pass(600);
    assert_eq!(cluster.values(2), ["a"], "followers fetch all the same");
}

#[test]
fn consumers_may_read_from_a_follower_since_2_4() {
    for (minor, version, code) in [(3, 11, 6), (4, 10, 6), (4, 11, 0), (8, 11, 0)] {
        let mut cluster = filled(KafkaVersion::new(2, minor));
        let sent = cluster.request(2, version, Cluster::fetch_request(0, 0));
        let expected = if code == 0 { vec!["a", "b", "c"] } else { vec![] };
        let (got, read) = cluster.fetched(sent).unwrap();
        assert_eq!((got, read), (code, expected.iter().map(ToString::to_string).collect()));
        let mut newer = Cluster::fetch_request(0, 0);
        newer.topics[0].partitions[0].current_leader_epoch = 3;
        let sent = cluster.request(2, version, newer);
        assert_eq!(cluster.fetched(sent).unwrap().0, 75, "UNKNOWN_LEADER_EPOCH");
        let mut follower = Cluster::fetch_request(0, 0).with_replica_id(WireBrokerId(3));
        follower.topics[0].partitions[0].last_fetched_epoch = -1;
        let sent = cluster.request(2, version, follower);
        assert_eq!(cluster.fetched(sent).unwrap().0, 6, "followers read from the leader");
    }
}

#[test]
fn a_fetch_that_waits_at_a_follower_is_answered_since_3_3_2() {
    for (patch, is_answered) in [(1, false), (2, true)] {
        let mut cluster = filled(KafkaVersion::patched(3, 3, patch));
        let waiting = cluster.request(2, 11, Cluster::fetch_request(3, 5_000));
        cluster.produce(1, -1, "d");
        cluster.pass(1_200);
        assert_eq!(cluster.response(waiting).is_some(), is_answered, "3.3.{patch}");
        cluster.pass(4_000);
        assert_eq!(cluster.fetched(waiting).unwrap().1, ["d"]);
    }
}

/// What a fetch of one partition is answered.
fn part(version: KafkaVersion, change: impl Fn(&mut FetchRequest)) -> PartitionData {
    let mut cluster = filled(version);
    let mut request = Cluster::fetch_request(0, 0);
    change(&mut request);
    answer(&mut cluster, request).responses[0].partitions[0].clone()
}

#[test]
fn what_a_fetch_answer_has_besides_records() {
    for (minor, isolation, stable, aborted) in
        [(0, 0, -1, None), (0, 1, 3, Some(0)), (1, 0, 3, None), (8, 0, 3, None), (8, 1, 3, Some(0))]
    {
        let data = part(KafkaVersion::new(2, minor), |request| request.isolation_level = isolation);
        let lists = data.aborted_transactions.map(|list| list.len());
        assert_eq!((data.last_stable_offset, lists), (stable, aborted), "2.{minor}, {isolation}");
    }
    for (version, aborted) in
        [(KafkaVersion::new(2, 8), None), (KafkaVersion::patched(3, 0, 0), Some(0))]
    {
        let unknown = part(version, |request| request.topics[0].partitions[0].partition = 7);
        assert_eq!(unknown.error_code, 3, "UNKNOWN_TOPIC_OR_PARTITION");
        assert_eq!(unknown.aborted_transactions.map(|list| list.len()), aborted, "{version}");
        let beyond = part(version, |request| request.topics[0].partitions[0].fetch_offset = 9);
        assert_eq!((beyond.error_code, beyond.aborted_transactions), (1, None));
        assert_eq!((beyond.last_stable_offset, beyond.log_start_offset), (-1, -1));
    }
}

#[test]
fn an_unknown_isolation_level_is_refused() {
    let releases = [(2, 6, false), (2, 7, true), (3, 9, true)];
    for (major, minor, is_answered) in releases {
        let mut cluster = filled(KafkaVersion::new(major, minor));
        let mut request = Cluster::fetch_request(0, 0);
        request.isolation_level = 7;
        let sent = cluster.request(1, 11, request);
        let Some(response) = cluster.response(sent) else {
            assert!(!is_answered, "{major}.{minor}");
            assert!(cluster.closed(cluster.client, sent.conn).is_some(), "it does not parse");
            continue;
        };
        assert!(is_answered, "{major}.{minor}");
        let part = &response.responses[0].partitions[0];
        assert_eq!((response.error_code, part.error_code, part.high_watermark), (-1, -1, -1));
        let lists = (part.aborted_transactions.is_some(), part.records.is_some());
        assert_eq!(lists, (major == 3, major == 2), "3.x gives an empty list and no records");
    }
}

#[test]
fn records_are_cut_at_the_limit_and_a_negative_limit_is_an_error() {
    let size = batch("a").bytes.len() as i32;
    let limited = |limit: i32, offset: i64| {
        part(NEWEST, |request| {
            request.topics[0].partitions[0].partition_max_bytes = limit;
            request.topics[0].partitions[0].fetch_offset = offset;
        })
    };
    let bytes = |part: &PartitionData| part.records.as_ref().map_or(0, Bytes::len) as i32;
    let cut = limited(size + size / 2, 0);
    assert_eq!((cut.error_code, bytes(&cut)), (0, size + size / 2), "a batch, and half of one");
    let whole = limited(size / 2, 0);
    assert_eq!(bytes(&whole), size, "the first batch is whole (KIP-74)");
    assert_eq!(limited(-1, 0).error_code, -1, "UNKNOWN_SERVER_ERROR, as the segment refuses it");
    assert_eq!(limited(-1, 3).error_code, 0, "there is nothing to read");
}

/// Offsets and magic of messages of formats 0 and 1, "cut" for one that is not whole.
fn messages(mut records: &[u8]) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(head) = records.first_chunk::<17>() {
        let offset = i64::from_be_bytes(head[..8].try_into().unwrap());
        let size = i32::from_be_bytes(head[8..12].try_into().unwrap()) as usize;
        if records.len() < 12 + size {
            seen.push("cut".to_owned());
            break;
        }
        seen.push(format!("{offset} v{}", head[16]));
        records = &records[12 + size..];
    }
    seen
}

#[test]
fn old_clients_read_messages_of_their_format() {
    // Recorded of 1.1.1 and 2.8.2 (`fetch.every-version`).
    let eager = (KafkaVersion::new(1, 1), vec![]);
    let lazy = (KafkaVersion::new(2, 8), vec!["cut"]);
    for (release, filler) in [eager, lazy] {
        for (version, magic) in [(0, "v0"), (1, "v0"), (2, "v1"), (3, "v1")] {
            let mut cluster = filled(release);
            let sent = cluster.request(1, version, Cluster::fetch_request(1, 0));
            let response = cluster.response(sent).unwrap();
            let records = response.responses[0].partitions[0].records.clone().unwrap();
            let mut expected = vec![format!("1 {magic}"), format!("2 {magic}")];
            expected.extend(filler.iter().map(ToString::to_string));
            assert_eq!(messages(&records), expected, "{release} v{version}");
        }
    }
}

#[test]
fn a_topic_is_read_in_the_format_that_it_is_to_have() {
    // Recorded: `produce.config.old-format`, `produce.config.format-0.10` of 1.1.1 and 2.8.2; no longer in 3.3.2.
    let tunes: [(fn(&mut Config), _, _); 2] = [
        (|config| set(config, "0.9.0"), ["v0", "v0"], "v0"),
        (|config| set(config, "0.10.2"), ["v0", "v1"], "v1"),
    ];
    fn set(config: &mut Config, format: &str) {
        let name = "log.message.format.version".to_owned();
        config.server_properties.insert(name, format.to_owned());
    }
    let read = |cluster: &mut Cluster, version| {
        let sent = cluster.request(1, version, Cluster::fetch_request(1, 0));
        let response = cluster.response(sent).unwrap();
        response.responses[0].partitions[0].records.clone().unwrap()
    };
    for (tune, old, new) in tunes {
        for release in [KafkaVersion::new(1, 1), KafkaVersion::new(2, 8)] {
            let mut cluster = filled_and(release, tune);
            for (version, magic) in [(1, old[0]), (2, old[1]), (6, new)] {
                let mut expected = vec![format!("1 {magic}"), format!("2 {magic}")];
                // Converted while it is sent, from the format in which it lies.
                if magic != new && release > KafkaVersion::new(2, 0) {
                    expected.push("cut".to_owned());
                }
                let records = read(&mut cluster, version);
                assert_eq!(messages(&records), expected, "{release} v{version}");
            }
        }
        let mut cluster = filled_and(KafkaVersion::new(3, 3), tune);
        assert!(Batch::all(&read(&mut cluster, 6)).all(|batch| batch.is_ok()));
    }
}

#[test]
fn a_fetch_of_0_10_is_cut_between_messages() {
    // Recorded of 0.10.2.2: `fetch.0-bytes`, `fetch.1-byte`, `fetch.0-bytes-all`, `fetch.one-and-a-half-batches`.
    let mut cluster = Cluster::new(KafkaVersion::new(0, 10));
    cluster.elect(1, 2, &[1, 2, 3]);
    for base in [0, 2] {
        let mut builder = BatchBuilder::new(1_000);
        for value in [b"a", b"b"] {
            builder.push(1_000, None, Some(value));
        }
        let sent = cluster.produce_bytes(1, -1, builder.build().bytes);
        cluster.pass(100);
        assert_eq!(cluster.produced(sent), Some((0, base)));
    }
    let all = 1 << 20;
    for (of_partition, of_all, offsets) in [
        (0, all, vec!["0 v1"]),
        (1, all, vec!["0 v1"]),
        (all, 0, vec!["0 v1"]),
        (110, all, vec!["0 v1", "1 v1", "2 v1"]),
        (all, all, vec!["0 v1", "1 v1", "2 v1", "3 v1"]),
    ] {
        let mut request = Cluster::fetch_request(0, 0).with_max_bytes(of_all);
        request.topics[0].partitions[0].partition_max_bytes = of_partition;
        let sent = cluster.request(1, 3, request);
        let response = cluster.response(sent).unwrap();
        let records = response.responses[0].partitions[0].records.clone().unwrap();
        assert_eq!(messages(&records), offsets, "{of_partition} {of_all}");
    }
}

#[test]
fn a_client_that_says_it_is_a_replica_gets_nothing() {
    // Recorded: `fetch.replica-unknown`.
    for (release, version, code, high_watermark, log_start) in [
        (KafkaVersion::new(0, 10), 3, -1, -1, -1),
        (KafkaVersion::new(0, 11), 5, -1, -1, -1),
        (KafkaVersion::new(1, 1), 7, 0, 3, 0),
        (KafkaVersion::new(2, 8), 11, 0, 3, 0),
        (KafkaVersion::new(3, 3), 11, 6, -1, -1),
        (NEWEST, 11, 6, -1, -1),
    ] {
        let mut cluster = filled(release);
        let stranger = |offset| Cluster::fetch_request(offset, 0).with_replica_id(WireBrokerId(77));
        let sent = cluster.request(1, version, stranger(0));
        let part = cluster.response(sent).unwrap().responses.remove(0).partitions.remove(0);
        assert_eq!((part.error_code, part.high_watermark), (code, high_watermark), "{release}");
        assert!(part.records.is_none_or(|records| records.is_empty()), "{release}");
        if version >= 5 {
            assert_eq!(part.log_start_offset, log_start, "{release}");
        }
        assert_eq!(cluster.values(1), ["a", "b", "c"]);
    }
    let mut cluster = filled(NEWEST);
    let mut known = Cluster::fetch_request(0, 0).with_replica_id(WireBrokerId(77));
    known.topics[0].partitions[0].current_leader_epoch = 2;
    let sent = cluster.request(1, 11, known);
    assert_eq!(cluster.fetched(sent).unwrap().0, 75, "UNKNOWN_LEADER_EPOCH");
}

#[test]
fn old_clients_write_messages_of_their_format() {
    for release in [KafkaVersion::new(0, 10), KafkaVersion::new(1, 1), NEWEST] {
        let mut cluster = filled(release);
        let sent = cluster.request(1, 1, Cluster::fetch_request(0, 0));
        let read = cluster.response(sent).unwrap().responses[0].partitions[0].records.clone();
        // What was read is written again, without what is cut short.
        let produce = kafka::produce("orders", 0, -1, read);
        let sent = cluster.request(1, 2, produce);
        assert_eq!(cluster.produced(sent), Some((0, 3)), "{release}");
        assert_eq!(cluster.values(1), ["a", "b", "c", "a", "b", "c"]);
        let batch = cluster.manager(1).records(&at()).last().unwrap();
        assert_eq!((batch.base_offset, batch.last_offset), (3, 5), "they are one batch");
        let sent = cluster.request(1, 2, kafka::produce("orders", 0, -1, Some(Bytes::new())));
        assert_eq!(cluster.produced(sent), Some((0, -1)), "nothing is written, which is no error");
        let newer = kafka::produce("orders", 0, -1, Some(Bytes::new()));
        let sent =
            cluster.request(1, if release < KafkaVersion::new(0, 11) { 2 } else { 3 }, newer);
        // Real brokers before 2.8 close the connection.
        let code = cluster.produced(sent).map(|(error, _)| error);
        let expected = match release.to_string().split('.').next() {
            Some("0") => Some(0),
            Some("1") => None,
            _ => Some(87),
        };
        assert_eq!(code, expected, "{release}");
    }
}

#[test]
fn a_fetch_of_a_partition_that_is_elsewhere_is_refused() {
    // Recorded: `fetch.where.not-leader`.
    for (release, version, code) in [
        (KafkaVersion::new(1, 1), 7, 3),
        (KafkaVersion::new(2, 0), 8, 6),
        (KafkaVersion::new(2, 4), 10, 6),
        (KafkaVersion::new(2, 4), 11, 9),
        (KafkaVersion::new(2, 6), 11, 6),
        (NEWEST, 11, 6),
    ] {
        let mut cluster = filled(release);
        let mut request = Cluster::fetch_request(0, 0);
        request.topics[0].topic = kafka::topic("elsewhere");
        let sent = cluster.request(1, version, request);
        assert_eq!(cluster.fetched(sent).unwrap().0, code, "{release} v{version}");
    }
}
