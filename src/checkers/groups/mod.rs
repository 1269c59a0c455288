//! Consumer groups: generations, assignments, committed offsets, sessions of members.

pub mod commits_are_fenced;
pub mod commits_follow_positions;
pub mod committed_offsets_are_kept;
pub mod generations_increase;
pub mod groups_settle;
pub mod members_expire_only_when_silent;
pub mod one_owner_per_partition;
#[cfg(test)]
pub(super) mod told;
