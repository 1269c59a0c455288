//! Which of some names a mistyped one was most likely meant to be.

/// The valid name that `written` is most likely meant to be, if one is near and no other is as
/// near.
pub fn nearest<'a>(written: &str, valid: &[&'a str]) -> Option<&'a str> {
    let mut ranked: Vec<(usize, &str)> =
        valid.iter().map(|name| (edits(written, name), *name)).collect();
    ranked.sort_unstable();
    let (edits, name) = *ranked.first()?;
    let unique = ranked.get(1).is_none_or(|second| second.0 > edits);
    (unique && edits <= (name.chars().count() / 3).max(1)).then_some(name)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_swaps_once() {
        assert_eq!(edits("crahs", "crash"), 1);
        assert_eq!(edits("partion", "partition"), 2);
        assert_eq!(edits("", "abc"), 3);
    }

    #[test]
    fn a_far_name_is_not_suggested() {
        assert_eq!(nearest("explode", &["crash", "pause"]), None);
        assert_eq!(nearest("puase", &["crash", "pause"]), Some("pause"));
        assert_eq!(nearest("b4", &["b1", "b2"]), None);
    }
}
