//! What an old consumer asks ZooKeeper for.

use std::sync::Arc;

use bytes::Bytes;

use super::registry::{Paths, registration};
use crate::vocab::{Offset, TopicPartition};
use crate::wire::zookeeper::{Create, Delete, Request, SetData};

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Writes its registration.
    Register,
    /// Reads its registration, as one of that name was there.
    OwnRegistration,
    /// Creates a znode above another.
    Parent(Arc<str>),
    /// Members of the group; watched.
    Ids,
    /// The registration of one.
    Registration(Arc<str>),
    /// Live brokers; watched when there is none.
    Brokers(bool),
    /// All topics; watched.
    Topics,
    /// A topic's partitions; watched.
    Topic(Arc<str>),
    /// The offset of a partition.
    Offset(TopicPartition),
    /// Gives up a partition.
    Release(TopicPartition),
    /// Claims a partition.
    Claim(TopicPartition),
    /// Reads who owns a partition, as the claim found an owner.
    Owner(TopicPartition),
    /// Writes the offset of a partition; creates the znode if it is new.
    Commit(TopicPartition, Offset),
    /// Creates the znode for the offset of a partition.
    FirstCommit(TopicPartition, Offset),
}

/// What an old consumer writes of itself.
pub(super) struct Own<'a> {
    pub(super) paths: &'a Paths,
    /// Its id in the group.
    pub(super) id: &'a str,
    pub(super) topics: &'a [Arc<str>],
    pub(super) wall_ms: i64,
}

impl Own<'_> {
    /// What it writes into the znodes of the partitions that it owns: its id and its only thread.
    pub(super) fn thread(&self) -> String {
        format!("{}-0", self.id)
    }

    /// The path of what is asked for.
    pub(super) fn path(&self, ask: &Ask) -> Arc<str> {
        match ask {
            Ask::Register | Ask::OwnRegistration => self.paths.id(self.id),
            Ask::Parent(path) => path.clone(),
            Ask::Ids => self.paths.ids(),
            Ask::Registration(member) => self.paths.id(member),
            Ask::Brokers(_) => "/brokers/ids".into(),
            Ask::Topics => "/brokers/topics".into(),
            Ask::Topic(topic) => format!("/brokers/topics/{topic}").into(),
            Ask::Release(at) | Ask::Claim(at) | Ask::Owner(at) => self.paths.owner(at),
            Ask::Offset(at) | Ask::Commit(at, _) | Ask::FirstCommit(at, _) => self.paths.offset(at),
        }
    }

    /// The request.
    pub(super) fn request(&self, ask: &Ask) -> Request {
        let path = self.path(ask);
        let text = |text: String| Some(Bytes::from(text));
        match ask {
            Ask::Register => {
                let data = text(registration(self.topics, self.wall_ms));
                Request::Create(Create::ephemeral(path, data))
            }
            Ask::Parent(_) => Request::Create(Create::persistent(path, None)),
            Ask::Claim(_) => Request::Create(Create::ephemeral(path, text(self.thread()))),
            Ask::FirstCommit(_, offset) => {
                Request::Create(Create::persistent(path, text(offset.to_string())))
            }
            Ask::Commit(_, offset) => {
                let data = text(offset.to_string());
                Request::SetData(SetData { path, data, version: -1 })
            }
            Ask::Release(_) => Request::Delete(Delete { path, version: -1 }),
            Ask::Ids | Ask::Topics => Request::GetChildren { path, watch: true },
            Ask::Brokers(watch) => Request::GetChildren { path, watch: *watch },
            Ask::Topic(_) => Request::GetData { path, watch: true },
            Ask::OwnRegistration | Ask::Registration(_) | Ask::Owner(_) | Ask::Offset(_) => {
                Request::GetData { path, watch: false }
            }
        }
    }
}
