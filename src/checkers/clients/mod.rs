//! What producers and consumers were promised and saw.

pub mod acknowledged_is_in_the_final_log;
pub mod acknowledged_is_read;
pub mod answers_are_sound;
pub mod availability;
pub mod each_offset_holds_one_record;
pub mod each_record_has_one_offset;
pub mod ends_once;
pub mod failed_is_not_read;
pub mod no_duplicates;
pub mod no_lost_writes;
pub mod order;
pub mod polls_go_forward;
pub mod polls_leave_nothing_out;
pub mod read_is_in_the_final_log;
pub mod sends_go_forward;
