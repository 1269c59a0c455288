//! Which of some names a mistyped one was most likely meant to be.

/// The valid name that `written` is most likely meant to be, if one is near and no other is as
/// near.
///
/// Near is: insertions, deletions, replacements and swaps of neighbours for at most a third of the name's letters.
pub fn nearest<'a>(written: &str, valid: &[&'a str]) -> Option<&'a str> {
    // One as near as a third of its letters is at most twice as long; a distance to a whole file is not worth its time.
    let longest = valid.iter().map(|name| name.len()).max()?;
    if written.len() > 2 * longest + 4 {
        return None;
    }
    let written = written.to_lowercase();
    let edits = |name: &str| strsim::osa_distance(&written, &name.to_lowercase());
    let mut ranked: Vec<(usize, &str)> = valid.iter().map(|name| (edits(name), *name)).collect();
    ranked.sort_unstable();
    let (edits, name) = *ranked.first()?;
    let is_alone = ranked.get(1).is_none_or(|second| second.0 > edits);
    (is_alone && edits <= (name.chars().count() / 3).max(1)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_name_is_not_suggested() {
        assert_eq!(nearest("explode", &["crash", "pause"]), None);
        assert_eq!(nearest("puase", &["crash", "pause"]), Some("pause"));
        assert_eq!(nearest("partion", &["partition", "pause"]), Some("partition"));
        assert_eq!(nearest("CRAHS", &["crash"]), Some("crash"), "two letters swapped are one edit");
        assert_eq!(nearest("b4", &["b1", "b2"]), None, "both are as near");
    }
}
