//! An AlterClientQuotas that is being worked on.

use std::collections::VecDeque;

use kafka_protocol::messages::alter_client_quotas_request::EntryData;
use kafka_protocol::messages::alter_client_quotas_response as altered;

use crate::nodes::broker::context::ReplyTo;

/// What is left of a request, and what is done.
#[derive(Debug)]
pub struct QuotaWork {
    /// Where its answer goes.
    pub to: ReplyTo,
    /// Whether nothing is written.
    pub validate_only: bool,
    /// Entities whose quotas are to be altered.
    pub left: VecDeque<EntryData>,
    /// The answers for the others.
    pub done: Vec<altered::EntryData>,
}
