//! Segments that begin because the last one is old, and segments that are deleted because they are old, or because the
//! log is large (`LogSegment.shouldRoll`, `Log.deleteOldSegments`).

use super::partition_log::{Disk, Log, LogSettings, Segment};
use crate::vocab::Offset;
use crate::wire::records::Batch;

/// How long, and how much, a log keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `retention.bytes`; negative: without a bound.
    pub bytes: i64,
    /// `retention.ms`; negative: without a bound.
    pub ms: i64,
}

impl Segment {
    /// Whether a batch goes into a segment of its own, behind this one. Segments age by the times of their batches, not
    /// by the clock: an idle log keeps its segment.
    pub(super) fn is_full(&self, disk: &Disk<'_>, settings: LogSettings, batch: &Batch) -> bool {
        if self.bytes == 0 {
            return false;
        }
        let age_ms = match self.first_ms {
            Some(first) if first >= 0 => batch.max_timestamp_ms().saturating_sub(first),
            _ => i64::try_from(disk.now.since(self.began).as_millis()).unwrap_or(i64::MAX),
        };
        self.bytes + batch.bytes.len() as u64 > settings.segment_bytes
            || age_ms > settings.segment_ms
    }
}

impl Log {
    /// Deletes segments from the oldest on, as long as the log is too large without them, or they are too old. None
    /// goes that has records above the high watermark; where all go, an empty one is left. Returns whether any did.
    pub fn delete_old(
        &mut self,
        disk: &mut Disk<'_>,
        retention: Retention,
        now_ms: i64,
        high_watermark: Offset,
    ) -> bool {
        let sizes = self.segments.iter().map(|segment| segment.bytes);
        let mut excess = match u64::try_from(retention.bytes) {
            Ok(most) => sizes.sum::<u64>().saturating_sub(most),
            Err(_) => 0,
        };
        let mut gone = 0;
        for (n, segment) in self.segments.iter().enumerate() {
            let next = self.segments.get(n + 1).map_or(self.end, |next| next.base);
            let is_too_much = retention.bytes >= 0 && excess >= segment.bytes;
            let is_too_old =
                || retention.ms >= 0 && self.age_ms(disk, segment, next, now_ms) > retention.ms;
            let is_kept = high_watermark < next || segment.bytes == 0;
            if is_kept || !(is_too_much || is_too_old()) {
                break;
            }
            excess = excess.saturating_sub(segment.bytes);
            gone = n + 1;
        }
        if gone == 0 {
            return false;
        }
        if gone == self.segments.len() {
            self.roll(disk);
        }
        let start = self.segments[gone].base;
        self.raise_start(disk, start)
    }

    /// How old the youngest record of a segment is; without times, how long ago the file was written last.
    fn age_ms(&self, disk: &Disk<'_>, segment: &Segment, next: Offset, now_ms: i64) -> i64 {
        match self.pages.latest_timestamp_ms(segment.base, next) {
            Some(latest) if latest >= 0 => now_ms.saturating_sub(latest),
            _ => i64::try_from(disk.now.since(segment.written).as_millis()).unwrap_or(i64::MAX),
        }
    }
}
