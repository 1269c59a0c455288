//! Words that earlier versions of the language had: each is an error that names the new word.

/// Old word, new word.
const RENAMED: &[(&str, &str)] = &[
    ("coordinator", "zookeeper"),
    ("coordinators", "zookeepers"),
    ("coordinator-client", "zookeeper-client"),
    ("coordinator-leader-changed", "zookeeper-leader-changed"),
    ("coordinator-snapshot-read", "zookeeper-snapshot-read"),
    // Properties, which a failure file names.
    ("isr-of-coordinator-agrees", "zookeeper-isr-has-committed"),
    ("one-coordinator-leader-per-epoch", "one-zookeeper-leader-per-epoch"),
    ("coordinator-histories-agree", "zookeeper-histories-agree"),
];

/// A word that has a new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Renamed {
    old: &'static str,
    new: &'static str,
}

impl Renamed {
    /// What is wrong.
    pub fn message(self) -> String {
        format!("`{}` is now called `{}`", self.old, self.new)
    }

    /// How to put it right.
    pub fn hint(self) -> String {
        format!("write {}", self.new)
    }
}

/// The new name of a word that was renamed.
pub(super) fn renamed(word: &str) -> Option<Renamed> {
    let row = RENAMED.iter().find(|(old, _)| *old == word);
    row.map(|&(old, new)| Renamed { old, new })
}
