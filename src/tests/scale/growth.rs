//! How what an event costs may grow with the size of a scenario.

/// Fails when what an event costs grows faster than the size does: `costs` are of rising sizes, each with its events.
/// What a fetch costs grows with the partitions that it names, as in Kafka without incremental fetch sessions
/// (KIP-227).
pub fn assert_linear(what: &str, costs: &[(u32, u64, u64)]) {
    let each: Vec<(f64, f64)> = costs
        .iter()
        .map(|&(size, cost, events)| (f64::from(size), cost as f64 / events as f64))
        .collect();
    let slopes: Vec<f64> =
        each.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
    for pair in slopes.windows(2) {
        assert!(pair[1] <= pair[0].max(0.0) * 1.5, "{what}, for an event, by size: {each:?}");
    }
}

/// Fails when what an event costs is more than twice as much at the largest size as at the smallest.
pub fn assert_flat(what: &str, costs: &[(u32, u64, u64)]) {
    let each = |&(_, cost, events): &(u32, u64, u64)| cost as f64 / events as f64;
    let (least, most) = (each(&costs[0]), each(&costs[costs.len() - 1]));
    assert!(most <= 2.0 * least, "{what}, for an event: {least:.0} at first, {most:.0} at last");
}
