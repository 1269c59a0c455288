//! What a server counts of itself: packets, how long requests took, how large proposals were (`ServerStats`,
//! `BufferStats`).

use crate::vocab::Time;

/// The counts of one server since it began to serve.
#[derive(Debug, Default)]
pub(super) struct Stats {
    /// When it began to serve in its present role.
    pub(super) since: Time,
    /// Frames and four-letter words received.
    pub(super) received: u64,
    /// Frames, and answers to four-letter words, sent.
    pub(super) sent: u64,
    /// Credentials that were refused.
    pub(super) auth_failed: u64,
    /// Of requests that were answered.
    pub(super) latency: Latency,
    /// Of transactions that were proposed to learners.
    pub(super) proposals: Sizes,
}

impl Stats {
    /// Nothing counted yet.
    pub(super) fn since(since: Time) -> Self {
        Self { since, ..Self::default() }
    }

    /// Packets, latencies and sizes are counted from now on (`ServerStats.reset`).
    pub(super) fn reset(&mut self) {
        *self = Self { since: self.since, auth_failed: self.auth_failed, ..Self::default() };
    }
}

/// From when a request was read until it was answered, in milliseconds (`AvgMinMaxCounter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Latency {
    count: u64,
    total_ms: u64,
    min_ms: u64,
    pub(super) max_ms: u64,
}

impl Latency {
    /// A request that was read at `since` is answered at `now`.
    pub(super) fn add(&mut self, since: Time, now: Time) {
        let ms = now.as_millis() - since.as_millis();
        self.min_ms = if self.count == 0 { ms } else { self.min_ms.min(ms) };
        self.max_ms = self.max_ms.max(ms);
        self.count += 1;
        self.total_ms += ms;
    }

    /// The shortest; 0 when there was none.
    pub(super) fn min_ms(&self) -> u64 {
        self.min_ms
    }

    /// The mean in whole milliseconds, cut off.
    pub(super) fn whole_average(&self) -> u64 {
        self.total_ms / self.count.max(1)
    }

    /// The mean with up to four digits behind the point, rounded half up, as Java prints a double.
    pub(super) fn average(&self) -> String {
        let count = self.count.max(1);
        let parts = (self.total_ms * 20_000 + count) / (2 * count);
        match (parts / 10_000, parts % 10_000) {
            (0, small @ 1..10) => format!("{small}.0E-4"),
            (whole, 0) => format!("{whole}.0"),
            (whole, parts) => format!("{whole}.{parts:04}").trim_end_matches('0').to_owned(),
        }
    }
}

/// The last, smallest and largest of some sizes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes(Option<(usize, usize, usize)>);

impl Sizes {
    /// There is one more.
    pub(super) fn add(&mut self, bytes: usize) {
        let (_, min, max) = self.0.unwrap_or((bytes, bytes, bytes));
        self.0 = Some((bytes, min.min(bytes), max.max(bytes)));
    }

    /// Last, smallest and largest, as numbers; −1 when there was none.
    pub(super) fn texts(&self) -> [String; 3] {
        match self.0 {
            Some((last, min, max)) => [last, min, max].map(|bytes| bytes.to_string()),
            None => ["-1"; 3].map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(all_ms: &[u64]) -> String {
        let mut latency = Latency::default();
        all_ms.iter().for_each(|ms| latency.add(Time::from_millis(7), Time::from_millis(7 + ms)));
        format!("{}/{}/{}", latency.min_ms(), latency.average(), latency.max_ms)
    }

    #[test]
    fn latencies_are_printed_as_java_prints_them() {
        for (all_ms, printed) in [
            (&[][..], "0/0.0/0"),
            (&[3], "3/3.0/3"),
            (&[1, 2], "1/1.5/2"),
            (&[4, 0, 0], "0/1.3333/4"),
            (&[5, 0, 0], "0/1.6667/5"),
            (&[10, 11, 10, 10, 10, 10, 10, 10, 10, 10], "10/10.1/11"),
        ] {
            assert_eq!(latency(all_ms), printed);
        }
        let mut one_in_two_thousand = vec![0; 1_999];
        one_in_two_thousand.push(1);
        assert_eq!(latency(&one_in_two_thousand), "0/5.0E-4/1");
    }

    #[test]
    fn sizes_have_a_last_a_smallest_and_a_largest() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.texts().join("/"), "-1/-1/-1");
        [48, 12, 20].into_iter().for_each(|bytes| sizes.add(bytes));
        assert_eq!(sizes.texts().join("/"), "20/12/48");
    }
}
