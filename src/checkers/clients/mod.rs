//! What producers and consumers were promised and saw.

pub mod acknowledged_is_in_the_final_log;
pub mod acknowledged_is_read;
pub mod acknowledged_offsets_increase;
pub mod availability;
pub mod each_offset_holds_one_record;
pub mod each_record_has_one_offset;
pub mod failed_is_not_read;
pub mod fetch_responses_are_valid;
pub mod no_duplicates;
pub mod no_lost_writes;
pub mod operations_end_once;
pub mod order;
pub mod polled_offsets_increase;
pub mod polls_skip_nothing;
pub mod read_is_in_the_final_log;
