//! How what an event costs may grow with the size of a scenario.

/// Fails when what an event costs is more than twice as much at the largest size as at the smallest.
pub fn assert_flat(what: &str, costs: &[(u32, u64, u64)]) {
    let each = |&(_, cost, events): &(u32, u64, u64)| cost as f64 / events as f64;
    let (least, most) = (each(&costs[0]), each(&costs[costs.len() - 1]));
    assert!(most <= 2.0 * least, "{what}, for an event: {least:.0} at first, {most:.0} at last");
}
