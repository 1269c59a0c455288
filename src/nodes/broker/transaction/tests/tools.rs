//! ListTransactions and DescribeTransactions.

use kafka_protocol::messages::{
    ApiKey, DescribeTransactionsRequest, ListTransactionsRequest, ListTransactionsResponse,
    ResponseKind,
};

use super::world::{World, id, text};

fn list(world: &mut World, request: &ListTransactionsRequest) -> ListTransactionsResponse {
    let to = world.to(ApiKey::ListTransactions);
    world.act(|transactions, cx| transactions.list_transactions(cx, to, request));
    match world.answer(to.conn) {
        Some(ResponseKind::ListTransactions(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn names(response: &ListTransactionsResponse) -> Vec<String> {
    response.transaction_states.iter().map(|row| row.transactional_id.to_string()).collect()
}

#[test]
fn transactions_are_listed_and_described() {
    // Recorded: `txn.describe`.
    let mut world = World::new("3.9");
    let (_, producer, epoch) = world.init("x");
    world.init("y");
    world.add("x", (producer, epoch));
    let states = vec![text("Ongoing"), text("Wrong")];
    let request = ListTransactionsRequest::default().with_state_filters(states);
    let response = list(&mut world, &request);
    assert_eq!(
        (response.error_code, response.unknown_state_filters.clone()),
        (0, vec![text("Wrong")])
    );
    assert_eq!(names(&response), ["x"]);
    let row = &response.transaction_states[0];
    assert_eq!((row.producer_id.0, &*row.transaction_state), (producer, "Ongoing"));
    assert_eq!(names(&list(&mut world, &ListTransactionsRequest::default())), ["x", "y"]);
    let of =
        ListTransactionsRequest::default().with_producer_id_filters(vec![(producer + 1).into()]);
    assert_eq!(names(&list(&mut world, &of)), ["y"]);
    let wrong = ListTransactionsRequest::default().with_state_filters(vec![text("Wrong")]);
    assert_eq!(names(&list(&mut world, &wrong)), [""; 0]);
    let to = world.to(ApiKey::DescribeTransactions);
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![
        id("x"),
        id("no"),
        id(""),
    ]);
    world.act(|transactions, cx| transactions.describe_transactions(cx, to, request));
    let Some(ResponseKind::DescribeTransactions(answer)) = world.answer(to.conn) else { panic!() };
    let [x, no, empty] = &answer.transaction_states[..] else { panic!("{answer:?}") };
    assert_eq!((x.error_code, &*x.transaction_state), (0, "Ongoing"));
    assert_eq!((x.producer_id.0, x.producer_epoch), (producer, 0));
    assert_eq!((x.transaction_timeout_ms, x.topics[0].partitions.clone()), (60_000, vec![0]));
    assert_eq!(x.transaction_start_time_ms, world.clock().wall_ms);
    // TRANSACTIONAL_ID_NOT_FOUND, INVALID_REQUEST
    assert_eq!((no.error_code, no.producer_id.0, no.producer_epoch), (105, 0, 0));
    assert_eq!((empty.error_code, empty.transaction_start_time_ms), (42, 0));
}

#[test]
fn a_coordinator_that_loads_lists_nothing() {
    let mut world = World::new("3.3");
    world.init("x");
    world.act(|transactions, cx| transactions.elected(cx, 0, 1));
    let response = list(&mut world, &ListTransactionsRequest::default());
    assert_eq!((response.error_code, names(&response).len()), (14, 0));
}
