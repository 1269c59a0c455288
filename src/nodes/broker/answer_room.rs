//! How large an answer may get.
//!
//! A request can name the same thing again and again: a resource of five bytes is answered with hundreds of
//! settings, a group of two with all that its members sent. Kafka runs out of memory, or out of the 31 bits of a
//! frame's length, and closes the connection; here the connection is closed before anything is held.

/// What an answer may be in memory, in bytes: a quarter of a million settings.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// What the smallest part of an answer counts: its fields and a name.
const PART_BYTES: usize = 256;

/// What is left of the room for one answer.
#[derive(Debug)]
pub struct AnswerRoom(usize);

impl Default for AnswerRoom {
    fn default() -> Self {
        Self(ANSWER_BYTES_MAX)
    }
}

impl AnswerRoom {
    /// Takes room for `parts`, with texts of `bytes` in all; `None` when there is not enough.
    pub fn take(&mut self, parts: usize, bytes: usize) -> Option<()> {
        let size = parts.saturating_mul(PART_BYTES).saturating_add(bytes);
        self.0 = self.0.checked_sub(size)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_a_quarter_of_a_million_parts() {
        let mut room = AnswerRoom::default();
        assert_eq!(room.take(250_000, 0), Some(()));
        assert_eq!(room.take(250_000, 0), None);
        assert_eq!(AnswerRoom::default().take(1, usize::MAX), None);
    }
}
