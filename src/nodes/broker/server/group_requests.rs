//! Requests for consumer groups, each with what the coordinator has to know beside it.

use kafka_protocol::messages::{RequestKind, TxnOffsetCommitRequest};
use kafka_protocol::protocol::StrBytes;

use super::broker::Broker;
use super::metadata::Listener;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::group::{Client, partition_of};
use crate::vocab::ConnId;

impl Broker {
    /// A request for a group.
    pub(super) fn group_request(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        client: Option<StrBytes>,
        body: RequestKind,
    ) {
        let metadata = &self.metadata;
        let knows = |topic: &str, partition: Option<i32>| match partition {
            Some(partition) => metadata.has_partition(topic, partition),
            None => metadata.has_topic(topic),
        };
        match body {
            RequestKind::OffsetCommit(request) if to.version == 0 => {
                self.commit_to_zookeeper(cx, to, &request);
            }
            RequestKind::OffsetFetch(request) if to.version == 0 => {
                self.fetch_from_zookeeper(cx, to, request);
            }
            RequestKind::JoinGroup(request) => {
                let client = self.client_of(to.conn, client);
                self.groups.join_group(cx, to, client, request);
            }
            RequestKind::SyncGroup(request) => self.groups.sync_group(cx, to, request),
            RequestKind::Heartbeat(request) => self.groups.heartbeat(cx, to, request),
            RequestKind::LeaveGroup(request) => self.groups.leave_group(cx, to, request),
            RequestKind::OffsetCommit(request) => {
                self.groups.commit_offsets(cx, to, request, &knows);
            }
            RequestKind::TxnOffsetCommit(request) => {
                let count = self.config.offsets_topic_num_partitions;
                let partition = partition_of(&request.group_id, count);
                let replicas = self.replicas_mut();
                if let Some(request) = replicas.verify_commit(cx, to, request, partition) {
                    self.commit_in_transaction(cx, to, request);
                }
            }
            RequestKind::OffsetFetch(request) => self.groups.fetch_offsets(cx, to, request),
            RequestKind::OffsetDelete(request) => {
                self.groups.delete_offsets(cx, to, request, &knows);
            }
            RequestKind::DescribeGroups(request) => self.groups.describe_groups(cx, to, &request),
            RequestKind::ListGroups(request) => self.groups.list_groups(cx, to, &request),
            RequestKind::DeleteGroups(request) => self.groups.delete_groups(cx, to, request),
            other => unreachable!("{other:?} is not about groups"),
        }
    }

    /// TxnOffsetCommit, whose transaction is verified where it has to be.
    pub(super) fn commit_in_transaction(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: TxnOffsetCommitRequest,
    ) {
        let metadata = &self.metadata;
        let knows = |topic: &str, partition: Option<i32>| match partition {
            Some(partition) => metadata.has_partition(topic, partition),
            None => metadata.has_topic(topic),
        };
        self.groups.commit_in_transaction(cx, to, request, &knows);
    }

    /// Who sent a request. Clients from outside come by way of the gateway, which is on this host.
    fn client_of(&self, conn: ConnId, id: Option<StrBytes>) -> Client {
        let host = match self.connections.listener(conn) {
            Listener::External => "127.0.0.1",
            Listener::Internal => {
                self.connections.peer(conn).map_or("", |peer| self.roster.name(peer))
            }
        };
        let host = StrBytes::from_string(format!("/{host}"));
        Client { id: id.unwrap_or_default(), host }
    }
}
