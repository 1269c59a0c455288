//! OffsetDelete (KIP-496): offsets of topics that no member reads are forgotten.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{ApiKey, OffsetDeleteRequest, OffsetDeleteResponse, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use super::commit::Knows;
use super::coordinator::GroupCoordinator;
use super::state::{Place, State};
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::releases::Change;

impl GroupCoordinator {
    /// OffsetDelete.
    pub fn delete_offsets(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: OffsetDeleteRequest,
        knows: Knows<'_>,
    ) {
        let group = request.group_id.0;
        let mut response = OffsetDeleteResponse::default();
        if let Err(error) = self.may_delete_offsets(&group) {
            response.error_code = error.code();
            cx.reply(to, ResponseKind::OffsetDelete(response));
            return;
        }
        let known = &self.groups[&group];
        let mut gone: Vec<Place> = Vec::new();
        // It has members then, and they are consumers.
        let subscribed = (known.state != State::Empty).then(|| known.subscribed());
        for topic in request.topics {
            let is_read = subscribed.as_ref().is_some_and(|topics| {
                topics.as_ref().is_none_or(|all| all.contains(&topic.name.0))
            });
            let mut rows = Vec::with_capacity(topic.partitions.len());
            for part in topic.partitions {
                let index = part.partition_index;
                let error = if !knows(&topic.name, Some(index)) {
                    Some(ResponseError::UnknownTopicOrPartition)
                } else if is_read {
                    Some(ResponseError::GroupSubscribedToTopic)
                } else {
                    gone.push((topic.name.0.clone(), index));
                    None
                };
                rows.push(
                    OffsetDeleteResponsePartition::default()
                        .with_partition_index(index)
                        .with_error_code(error.map_or(0, |error| error.code())),
                );
            }
            // 2.4 and 2.5 list a topic once for each of its partitions, with all of them each time.
            let once = self.config.version.has(Change::OffsetDeleteListsTopicOnce);
            let times = if once { 1 } else { rows.len() };
            let topic = OffsetDeleteResponseTopic::default().with_name(topic.name);
            let topic = topic.with_partitions(rows);
            response.topics.extend(std::iter::repeat_n(topic, times));
        }
        self.forget_offsets(cx, &group, &gone);
        cx.reply(to, ResponseKind::OffsetDelete(response));
    }

    fn may_delete_offsets(&self, group: &StrBytes) -> Result<(), ResponseError> {
        if let Some(error) = self.refusal(group, ApiKey::OffsetDelete) {
            return Err(error);
        }
        let group = self.groups.get(group).ok_or(ResponseError::GroupIdNotFound)?;
        if group.state != State::Empty && !group.is_of_consumers() {
            return Err(ResponseError::NonEmptyGroup);
        }
        Ok(())
    }
}
