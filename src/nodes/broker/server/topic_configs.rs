//! The topics' own settings (`/config/topics/T`), as far as this broker read them, and requests that wait for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::messages::RequestKind;
use tracing::{debug, warn};

use super::zk_requests::{Op, ZkRequests, data};
use crate::nodes::broker::TopicOverrides;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::payload;
use crate::wire::zookeeper::{Code, Reply};

/// A request that waits for settings.
#[derive(Debug)]
struct Waiting {
    to: ReplyTo,
    body: RequestKind,
    missing: BTreeSet<Arc<str>>,
}

/// Owns what was read of topics' settings.
#[derive(Debug, Default)]
pub struct TopicConfigs {
    /// By topic; those that were read.
    overrides: BTreeMap<Arc<str>, TopicOverrides>,
    waiting: Vec<Waiting>,
    /// Topics whose settings are read because they changed.
    changed: BTreeSet<Arc<str>>,
    /// Name of the last settings notification that was obeyed; `None` before the first listing.
    last_change: Option<Arc<str>>,
}

impl TopicConfigs {
    /// A topic's own settings; `None` when they were not read.
    pub fn overrides(&self, topic: &str) -> Option<&TopicOverrides> {
        self.overrides.get(topic)
    }

    /// The topic was deleted.
    pub fn forget(&mut self, topic: &str) {
        self.overrides.remove(topic);
    }

    /// Reads the settings of `topics`; then [`TopicConfigs::take_ready`] gives the request back.
    pub fn wait(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut ZkRequests,
        (to, body): (ReplyTo, RequestKind),
        topics: BTreeSet<Arc<str>>,
    ) {
        for topic in &topics {
            zk.ask(cx, Op::ReadTopicConfig(topic.clone()));
        }
        self.waiting.push(Waiting { to, body, missing: topics });
    }

    /// A topic's settings were read; returns them if they changed.
    pub fn read(
        &mut self,
        topic: &Arc<str>,
        result: &Result<Reply, Code>,
    ) -> Option<&TopicOverrides> {
        for waiting in &mut self.waiting {
            waiting.missing.remove(topic);
        }
        let overrides = match data(result).map(|data| payload::decode_config(&data)) {
            Some(Ok(overrides)) => overrides,
            Some(Err(why)) => {
                warn!(%topic, %why, "ignores damaged settings");
                TopicOverrides::new()
            }
            None => TopicOverrides::new(),
        };
        if self.overrides.get(topic) == Some(&overrides) {
            return None;
        }
        self.overrides.insert(topic.clone(), overrides);
        self.overrides.get(topic)
    }

    /// Whether a topic's settings were read because they changed; it is asked once.
    pub fn take_changed(&mut self, topic: &str) -> bool {
        self.changed.remove(topic)
    }

    /// A request that has all settings that it waited for.
    pub fn take_ready(&mut self) -> Option<(ReplyTo, RequestKind)> {
        let ready = self.waiting.iter().position(|waiting| waiting.missing.is_empty())?;
        let Waiting { to, body, .. } = self.waiting.remove(ready);
        Some((to, body))
    }

    /// The settings notifications are listed: those that are new are read. Those of the first listing are older than
    /// what this broker will read itself.
    pub fn changes_listed(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut ZkRequests,
        result: Result<Reply, Code>,
    ) {
        let (mut names, ever) = match result {
            Ok(Reply::Children2 { children, stat }) => (children, stat.cversion > 0),
            Ok(Reply::Children(children)) => (children, true),
            other => {
                debug!(?other, "cannot list settings notifications");
                return;
            }
        };
        names.sort_unstable();
        let last = self.last_change.clone();
        self.last_change =
            Some(names.last().cloned().or_else(|| last.clone()).unwrap_or_else(|| "".into()));
        let Some(last) = last else {
            // The first listing: where nothing was ever notified of, nothing was set for brokers.
            if ever && zk.knows_dynamic_settings() {
                zk.ask_for_broker_settings(cx);
            }
            return;
        };
        for name in names.into_iter().filter(|name| *name > last) {
            zk.ask(cx, Op::ReadConfigChange(name));
        }
    }

    /// A settings notification was read.
    pub fn change_read(
        &mut self,
        cx: &mut Context<'_>,
        zk: &mut ZkRequests,
        result: &Result<Reply, Code>,
        is_controller: bool,
    ) {
        // A controller removed it meanwhile (Kafka keeps them 15 minutes).
        let Some(data) = data(result) else { return };
        let entity = match payload::decode_config_change(&data) {
            Ok(entity) => entity,
            Err(why) => {
                warn!(%why, "ignores a damaged settings notification");
                return;
            }
        };
        if let Some(broker) = entity.strip_prefix("brokers/") {
            return zk.ask_for_settings_of(cx, broker);
        }
        // Settings of topics that were never needed here are read when they are; the controller needs to know which
        // topics allow unclean elections.
        if let Some(topic) = entity.strip_prefix("topics/")
            && (self.overrides(topic).is_some() || is_controller)
        {
            self.changed.insert(topic.into());
            zk.ask(cx, Op::ReadTopicConfig(topic.into()));
        }
    }
}
