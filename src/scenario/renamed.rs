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
    ("answers-are-sound", "fetch-responses-are-valid"),
    ("sends-go-forward", "acknowledged-offsets-increase"),
    ("polls-go-forward", "polled-offsets-increase"),
    ("polls-leave-nothing-out", "polls-skip-nothing"),
    ("ends-once", "operations-end-once"),
    ("isr-of-leader-agrees", "leader-isr-has-committed"),
    ("isr-in-zookeeper-agrees", "zookeeper-isr-has-committed"),
    ("logs-are-whole", "log-offsets-are-sequential"),
    ("epochs-only-grow", "leader-epochs-never-decrease"),
    ("high-watermark-only-grows", "high-watermark-never-decreases"),
    ("joins-isr-caught-up", "replicas-join-isr-caught-up"),
    ("ephemerals-have-owners", "ephemerals-have-live-sessions"),
    ("sessions-end-rightly", "sessions-expire-only-when-silent"),
    ("sessions-are-served-in-order", "session-requests-are-in-order"),
    ("watches-are-told", "watches-fire"),
    ("decided-transactions-stay", "committed-transactions-are-durable"),
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
