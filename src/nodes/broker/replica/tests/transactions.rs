//! Transactions in the log: what consumers see of them, and the markers that end them.

use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::write_txn_markers_response::WritableTxnMarkerPartitionResult;
use kafka_protocol::messages::{
    ListOffsetsRequest, ProducerId, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};

use super::*;
use crate::wire::markers::EndMarker;

/// A batch of one record, in the transaction of a producer.
fn of_transaction(producer: i64, epoch: i16, sequence: i32) -> Bytes {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(1_000, None, Some(b"t"));
    builder.of_producer(producer, epoch, sequence).of_transaction(false).build().bytes
}

fn write(cluster: &mut Cluster, to: usize, records: Bytes) -> (i16, Offset) {
    let request = kafka::produce("orders", 0, -1, Some(records));
    let request = request.with_transactional_id(Some(StrBytes::from_static_str("x").into()));
    let sent = cluster.request(to, 7, request);
    cluster.pass(600);
    cluster.produced(sent).expect("it is answered")
}

fn marker(producer: i64, epoch: i16, commit: bool, coordinator_epoch: i32) -> WritableTxnMarker {
    let topic = WritableTxnMarkerTopic::default().with_name(topic());
    WritableTxnMarker::default()
        .with_producer_id(ProducerId(producer))
        .with_producer_epoch(epoch)
        .with_transaction_result(commit)
        .with_coordinator_epoch(coordinator_epoch)
        .with_topics(vec![topic.with_partition_indexes(vec![0])])
}

fn send(
    cluster: &mut Cluster,
    to: usize,
    markers: Vec<WritableTxnMarker>,
) -> Sent<WriteTxnMarkersRequest> {
    cluster.request(to, 0, WriteTxnMarkersRequest::default().with_markers(markers))
}

/// Topic, partition and error of each row.
fn errors(response: &WriteTxnMarkersResponse) -> Vec<(i64, String, i32, i16)> {
    let rows = response.markers.iter().flat_map(|marker| {
        marker.topics.iter().flat_map(move |topic| {
            let row = move |row: &WritableTxnMarkerPartitionResult| {
                (marker.producer_id.0, topic.name.to_string(), row.partition_index, row.error_code)
            };
            topic.partitions.iter().map(row)
        })
    });
    rows.collect()
}

fn end(cluster: &mut Cluster, to: usize, marker: WritableTxnMarker) -> i16 {
    let sent = send(cluster, to, vec![marker]);
    cluster.pass(600);
    errors(&cluster.response(sent).expect("it is answered"))[0].3
}

/// A consumer's fetch with an isolation level that does not wait.
fn read(cluster: &mut Cluster, broker: usize, offset: Offset, isolation: i8) -> PartitionData {
    let request = Cluster::fetch_request(offset, 0).with_isolation_level(isolation);
    let sent = cluster.request(broker, 11, request);
    let response = cluster.response(sent).expect("a fetch that does not wait is answered");
    response.responses[0].partitions[0].clone()
}

/// First and last offsets of what was read, and the aborted transactions.
type Seen = (Vec<(Offset, Offset)>, Vec<(i64, Offset)>);

fn seen(data: &PartitionData) -> Seen {
    let records = data.records.clone().unwrap_or_default();
    let batches = Batch::all(&records).map(|batch| batch.unwrap());
    let aborted = data.aborted_transactions.iter().flatten();
    (
        batches.map(|batch| (batch.base_offset, batch.last_offset)).collect(),
        aborted.map(|one| (one.producer_id.0, one.first_offset)).collect(),
    )
}

fn latest(cluster: &mut Cluster, isolation: i8) -> Offset {
    let asked = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![asked]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(WireBrokerId(-1))
        .with_isolation_level(isolation)
        .with_topics(vec![topic]);
    let sent = cluster.request(1, 2, request);
    cluster.response(sent).expect("it is answered").topics[0].partitions[0].offset
}

fn empty(version: &str) -> Cluster {
    let mut cluster = Cluster::new(version.parse().unwrap());
    cluster.elect(1, 2, &[1, 2, 3]);
    cluster
}

/// `txn.commit` and `txn.abort` of the recordings, with one record.
#[test]
fn a_reader_of_committed_transactions_waits_for_the_marker() {
    for (version, uncommitted) in [("0.11", -1), ("2.0", -1), ("2.1", 0), ("2.8", 0), ("3.5", 0)] {
        let mut cluster = empty(version);
        assert_eq!(write(&mut cluster, 1, of_transaction(7, 0, 0)), (0, 0), "{version}");
        let open = read(&mut cluster, 1, 0, 1);
        assert_eq!((seen(&open), open.last_stable_offset), ((vec![], vec![]), 0), "{version}");
        let all = read(&mut cluster, 1, 0, 0);
        assert_eq!((seen(&all).0, all.last_stable_offset), (vec![(0, 0)], uncommitted));
        assert_eq!(all.aborted_transactions, None);
        assert_eq!([latest(&mut cluster, 0), latest(&mut cluster, 1)], [1, 0], "{version}");
        assert_eq!(end(&mut cluster, 1, marker(7, 0, false, 0)), 0, "{version}");
        let read = read(&mut cluster, 1, 0, 1);
        assert_eq!(seen(&read), (vec![(0, 0), (1, 1)], vec![(7, 0)]), "{version}");
        assert_eq!((read.high_watermark, read.last_stable_offset), (2, 2), "{version}");
        assert_eq!([latest(&mut cluster, 0), latest(&mut cluster, 1)], [2, 2], "{version}");
    }
}

/// `txn.two-then-plain-behind-open` of the recordings.
#[test]
fn the_last_stable_offset_is_where_the_first_open_transaction_begins() {
    let mut cluster = empty("2.8");
    write(&mut cluster, 1, of_transaction(7, 0, 0));
    write(&mut cluster, 1, of_transaction(8, 0, 0));
    cluster.produce(1, -1, "plain");
    cluster.pass(600);
    assert_eq!(end(&mut cluster, 1, marker(7, 0, false, 0)), 0);
    let one_open = read(&mut cluster, 1, 0, 1);
    assert_eq!(seen(&one_open), (vec![(0, 0)], vec![(7, 0)]));
    assert_eq!((one_open.high_watermark, one_open.last_stable_offset), (4, 1));
    assert_eq!(end(&mut cluster, 1, marker(8, 0, true, 0)), 0);
    let each = |first: Offset| (first..5).map(|at| (at, at)).collect::<Vec<_>>();
    assert_eq!(seen(&read(&mut cluster, 1, 0, 1)), (each(0), vec![(7, 0)]));
    assert_eq!(seen(&read(&mut cluster, 1, 2, 1)), (each(2), vec![(7, 0)]));
    assert_eq!(seen(&read(&mut cluster, 1, 4, 1)), (each(4), vec![]));
}

#[test]
fn followers_and_a_process_that_starts_know_the_transactions() {
    let mut cluster = empty("2.8");
    write(&mut cluster, 1, of_transaction(7, 0, 0));
    assert_eq!(end(&mut cluster, 1, marker(7, 0, false, 0)), 0);
    write(&mut cluster, 1, of_transaction(7, 0, 1));
    cluster.elect(2, 3, &[1, 2, 3]);
    cluster.pass(600);
    let at_follower = read(&mut cluster, 2, 0, 1);
    assert_eq!(seen(&at_follower), (vec![(0, 0), (1, 1)], vec![(7, 0)]));
    assert_eq!(at_follower.last_stable_offset, 2);
    cluster.crash(1);
    cluster.start(1);
    cluster.elect(1, 4, &[1, 2, 3]);
    cluster.pass(600);
    let started = read(&mut cluster, 1, 0, 1);
    assert_eq!((seen(&started), started.last_stable_offset), (seen(&at_follower), 2));
    assert_eq!(end(&mut cluster, 1, marker(7, 0, true, 0)), 0);
    assert_eq!(read(&mut cluster, 1, 0, 1).last_stable_offset, 4);
}

#[test]
fn a_transaction_whose_records_are_cut_off_is_not_open() {
    let mut cluster = empty("2.8");
    write(&mut cluster, 1, of_transaction(7, 0, 0));
    // Only the leader gets the marker, and the next transaction.
    cluster.crash(2);
    cluster.crash(3);
    send(&mut cluster, 1, vec![marker(7, 0, false, 0)]);
    cluster.produce_bytes(1, 1, of_transaction(8, 0, 0));
    cluster.pass(50);
    cluster.crash(1);
    BROKERS.for_each(|broker| cluster.start(broker));
    cluster.elect(2, 3, &[1, 2, 3]);
    cluster.pass(1_600);
    cluster.elect(1, 4, &[1, 2, 3]);
    cluster.pass(600);
    let data = read(&mut cluster, 1, 0, 1);
    assert_eq!((seen(&data), data.last_stable_offset), ((vec![], vec![]), 0));
    assert_eq!(end(&mut cluster, 1, marker(7, 0, true, 0)), 0);
    let data = read(&mut cluster, 1, 0, 1);
    assert_eq!((seen(&data), data.last_stable_offset), ((vec![(0, 0), (1, 1)], vec![]), 2));
}

/// `txn.state.fenced-produce`: the coordinator aborts with the next epoch.
#[test]
fn a_marker_fences_older_epochs_of_its_producer_and_older_coordinators() {
    for version in ["0.11", "2.8", "3.5"] {
        let mut cluster = empty(version);
        write(&mut cluster, 1, of_transaction(7, 0, 0));
        assert_eq!(end(&mut cluster, 1, marker(7, 1, false, 4)), 0, "{version}");
        assert_eq!(write(&mut cluster, 1, of_transaction(7, 0, 1)), (47, -1), "{version}");
        assert_eq!(end(&mut cluster, 1, marker(7, 0, false, 4)), 47, "{version}");
        assert_eq!(end(&mut cluster, 1, marker(7, 1, false, 3)), 52, "{version}");
        assert_eq!(end(&mut cluster, 1, marker(7, 1, false, 5)), 0, "{version}");
    }
}

/// `ProducerAppendInfo.checkSequence` of the releases.
#[test]
fn behind_a_marker_a_sequence_begins_with_0() {
    for (version, error) in [("1.1", 45), ("2.0.0", 45), ("2.0.1", 59), ("2.4", 59), ("2.5", 45)] {
        let mut cluster = empty(version);
        write(&mut cluster, 1, of_transaction(7, 0, 0));
        assert_eq!(end(&mut cluster, 1, marker(7, 1, false, 0)), 0);
        assert_eq!(write(&mut cluster, 1, of_transaction(7, 1, 3)).0, error, "{version}");
        assert_eq!(write(&mut cluster, 1, of_transaction(7, 1, 0)).0, 0, "{version}");
    }
}

#[test]
fn a_record_outside_of_the_open_transaction_is_refused() {
    let mut cluster = empty("2.8");
    write(&mut cluster, 1, of_transaction(7, 0, 0));
    let mut builder = BatchBuilder::new(1_000);
    builder.push(1_000, None, Some(b"plain"));
    let plain = builder.of_producer(7, 0, 1).build().bytes;
    assert_eq!(write(&mut cluster, 1, plain.clone()).0, 48, "INVALID_TXN_STATE");
    assert_eq!(end(&mut cluster, 1, marker(7, 0, true, 0)), 0);
    assert_eq!(write(&mut cluster, 1, plain).0, 0);
}

#[test]
fn markers_are_answered_when_all_are_replicated_or_the_time_is_over() {
    let mut cluster = empty("2.8");
    let elsewhere = WritableTxnMarkerTopic::default()
        .with_name(kafka::topic("nowhere"))
        .with_partition_indexes(vec![0, 1]);
    let mut second = marker(8, 0, true, 0);
    second.topics.push(elsewhere);
    cluster.set_fsyncs(0);
    cluster.hold(1);
    let sent = send(&mut cluster, 1, vec![marker(7, 0, true, 0), second]);
    cluster.pass(50);
    assert!(cluster.response(sent).is_none(), "the followers do not have them");
    cluster.release(1);
    cluster.pass(1_600);
    let orders = "orders".to_owned();
    let nowhere = |n| (8, "nowhere".to_owned(), n, 3);
    assert_eq!(
        errors(&cluster.response(sent).expect("it is answered")),
        [(7, orders.clone(), 0, 0), nowhere(0), nowhere(1), (8, orders, 0, 0)]
    );
    assert_eq!(cluster.manager(1).records(&at()).count(), 2, "each is a batch of its own");
    assert_eq!(end(&mut cluster, 2, marker(7, 0, true, 0)), 6, "a follower takes none");
    let nothing = send(&mut cluster, 1, Vec::new());
    assert_eq!(errors(&cluster.response(nothing).expect("it is answered")), []);
}

#[test]
fn a_marker_among_committed_offsets_completes_them() {
    let mut cluster = Cluster::new(KafkaVersion::new(2, 8));
    let offsets = || kafka::topic("__consumer_offsets");
    BROKERS.for_each(|broker| {
        cluster.leader_and_isr_of(offsets(), broker, (1, 2), &[1, 2, 3]);
    });
    let mut of_group = marker(7, 0, true, 0);
    of_group.topics[0].name = offsets();
    let sent = send(&mut cluster, 1, vec![of_group]);
    cluster.pass(600);
    assert_eq!(errors(&cluster.response(sent).expect("it is answered"))[0].3, 0);
    let completed = TransactionCompleted { producer_id: 7, partitions: vec![0], commit: true };
    assert_eq!(cluster.replicas(1).completed, [completed]);
}

#[test]
fn a_topic_of_an_older_format_has_no_markers() {
    let mut cluster = Cluster::tuned(KafkaVersion::new(2, 8), |config| {
        let properties = &mut config.server_properties;
        properties.insert("log.message.format.version".to_owned(), "0.10.2".to_owned());
    });
    cluster.elect(1, 2, &[1, 2, 3]);
    assert_eq!(end(&mut cluster, 1, marker(7, 0, true, 0)), 43);
}

#[test]
fn a_marker_on_disk_is_what_kafka_writes() {
    let mut cluster = empty("2.8");
    assert_eq!(end(&mut cluster, 1, marker(7, 3, true, 9)), 0);
    let batch = cluster.manager(1).records(&at()).next().expect("a marker").into_owned();
    assert_eq!(EndMarker::of(&batch), Some(EndMarker { commit: true, coordinator_epoch: 9 }));
    let record = &batch.records().unwrap()[0];
    assert_eq!(record.key.as_deref(), Some(&[0, 0, 0, 1][..]));
    assert_eq!(record.value.as_deref(), Some(&[0, 0, 0, 0, 0, 9][..]));
    // Transactional and a control batch; one record.
    assert_eq!((batch.bytes[22], batch.count(), batch.base_sequence()), (0b11_0000, 1, -1));
}

fn ask_to_write(cluster: &mut Cluster, sequence: i32) -> Sent<ProduceRequest> {
    let records = Some(of_transaction(7, 0, sequence));
    let request = kafka::produce("orders", 0, -1, records);
    let request = request.with_transactional_id(Some(StrBytes::from_static_str("x").into()));
    cluster.request(1, 10, request)
}

/// The coordinator's answer to the last question, and that to the producer: error, log start and text.
fn answered(
    cluster: &mut Cluster,
    sent: Sent<ProduceRequest>,
    code: i16,
) -> (i16, Offset, Option<String>) {
    let number = cluster.replicas(1).questions.last().expect("a question").number;
    cluster.with(1, |manager, cx| manager.verified(cx, number, &[code]));
    cluster.pass(600);
    let response = cluster.response(sent).expect("it is answered");
    let part = &response.responses[0].partition_responses[0];
    let text = part.error_message.as_ref().map(ToString::to_string);
    (part.error_code, part.log_start_offset, text)
}

/// `txn.state.write-not-added` and `.fenced-produce` of 3.9.1.
#[test]
fn a_first_batch_waits_until_its_transaction_is_verified() {
    let mut cluster = empty("3.9");
    let sent = ask_to_write(&mut cluster, 0);
    assert!(cluster.response(sent).is_none());
    let question = VerifyTransaction {
        number: 0,
        transactional_id: StrBytes::from_static_str("x").into(),
        producer: (7, 0),
        partitions: vec![(topic(), 0)],
    };
    assert_eq!(cluster.replicas(1).questions, [question]);
    let not_added = Some("Partition was not added to the transaction".to_owned());
    assert_eq!(answered(&mut cluster, sent, 48), (48, -1, not_added.clone()));
    for (code, error) in [(90, 47), (47, 47), (53, 53)] {
        let sent = ask_to_write(&mut cluster, 0);
        assert_eq!(answered(&mut cluster, sent, code), (error, -1, None), "{code}");
    }
    let sent = ask_to_write(&mut cluster, 0);
    assert_eq!(answered(&mut cluster, sent, 120), (48, -1, not_added), "TRANSACTION_ABORTABLE");
    for (code, name) in [(13, "NETWORK_EXCEPTION"), (51, "CONCURRENT_TRANSACTIONS")] {
        let sent = ask_to_write(&mut cluster, 0);
        let (error, start, text) = answered(&mut cluster, sent, code);
        assert_eq!((error, start), (19, -1), "NOT_ENOUGH_REPLICAS is tried again");
        assert!(text.expect("a text").ends_with(name));
    }
    let sent = ask_to_write(&mut cluster, 0);
    assert_eq!(answered(&mut cluster, sent, 0), (0, 0, None));
    let asked = cluster.replicas(1).questions.len();
    assert_eq!(write(&mut cluster, 1, of_transaction(7, 0, 1)), (0, 1), "it is open");
    assert_eq!(cluster.replicas(1).questions.len(), asked);
}

/// KAFKA-14884: the marker that aborted the transaction came between.
#[test]
fn an_answer_that_comes_behind_a_marker_is_worth_nothing() {
    let mut cluster = empty("3.9");
    let sent = ask_to_write(&mut cluster, 0);
    assert_eq!(end(&mut cluster, 1, marker(7, 0, false, 0)), 0);
    assert_eq!(answered(&mut cluster, sent, 0), (48, 0, None));
    assert_eq!(read(&mut cluster, 1, 0, 1).last_stable_offset, 1, "nothing hangs");
}

#[test]
fn up_to_3_5_or_where_it_is_switched_off_no_transaction_is_verified() {
    let off = |config: &mut Config| {
        let name = "transaction.partition.verification.enable".to_owned();
        config.server_properties.insert(name, "false".to_owned());
    };
    let mut cluster = Cluster::tuned(NEWEST, off);
    cluster.elect(1, 2, &[1, 2, 3]);
    assert_eq!(write(&mut cluster, 1, of_transaction(7, 0, 0)), (0, 0));
    let mut cluster = empty("3.5");
    assert_eq!(write(&mut cluster, 1, of_transaction(7, 0, 0)), (0, 0));
}

/// The error that `code` of the coordinator makes of a TxnOffsetCommit in `version`, or 0 when it goes on.
fn committed(cluster: &mut Cluster, version: i16, code: i16) -> i16 {
    let partition = TxnOffsetCommitRequestPartition::default().with_partition_index(4);
    let topic = TxnOffsetCommitRequestTopic::default().with_name(topic());
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(StrBytes::from_static_str("x").into())
        .with_producer_id(ProducerId(7))
        .with_topics(vec![topic.with_partitions(vec![partition])]);
    let sent = cluster.request(1, version, request);
    let number = cluster.replicas(1).questions.last().expect("a question").number;
    cluster.with(1, |manager, cx| manager.verified(cx, number, &[code]));
    let answer = cluster.response(sent);
    answer.map_or(0, |answer| answer.topics[0].partitions[0].error_code)
}

/// `txn.offset-commit` of 3.9.1: the transaction is over, which counts before the member that is not known.
#[test]
fn offsets_in_a_transaction_are_verified_since_3_7() {
    let mut cluster = Cluster::new(NEWEST);
    let offsets = kafka::topic("__consumer_offsets");
    BROKERS.for_each(|broker| {
        cluster.leader_and_isr_of(offsets.clone(), broker, (1, 2), &[1, 2, 3]);
    });
    for (version, code, error) in
        [(3, 48, 48), (3, 120, 48), (4, 120, 120), (3, 90, 47), (3, 13, 14), (1, 13, 15)]
    {
        assert_eq!(committed(&mut cluster, version, code), error, "{code} in v{version}");
    }
    assert_eq!(cluster.replicas(1).commits, 0);
    assert_eq!(committed(&mut cluster, 3, 0), 0);
    assert_eq!(cluster.replicas(1).commits, 1);
}

/// The facts of transactions, in words.
fn facts(cluster: &Cluster) -> Vec<String> {
    let told = cluster.observed().filter_map(|(_, broker, what)| match what {
        BrokerObservation::Transaction(what) => Some(format!("b{broker} {what}")),
        _ => None,
    });
    told.collect()
}

#[test]
fn the_leader_tells_of_transactions_and_of_nothing_without_them() {
    let mut cluster = empty("2.8");
    cluster.produce(1, -1, "plain");
    cluster.pass(600);
    assert_eq!(facts(&cluster), [""; 0]);
    write(&mut cluster, 1, of_transaction(7, 0, 0));
    cluster.produce(1, -1, "plain");
    cluster.pass(600);
    assert_eq!(end(&mut cluster, 1, marker(7, 1, false, 3)), 0);
    let expected = [
        "b1 appended orders-0@1..=1 in a transaction of producer 7 in epoch 0",
        "b1 last stable offset of orders-0 is 1",
        "b1 appended orders-0@3: abort marker of producer 7 in epoch 1",
        "b1 last stable offset of orders-0 is 4",
    ];
    assert_eq!(facts(&cluster), expected);
    cluster.produce(1, -1, "plain");
    cluster.pass(600);
    assert_eq!(facts(&cluster).len(), expected.len());
}
