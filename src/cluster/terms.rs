//! From a plan to the terms of its run.

use super::Names;
use crate::model::{ConsumerTerms, Permission, ProducerTerms, Terms, TopicTerms};
use crate::scenario::{ConsumerPlan, GroupPlan, Plan, ProducerPlan, ReadFrom, TopicPlan};

/// What the model of a plan's cluster is made with: names, promises and expectations.
pub fn terms(plan: &Plan, names: &Names) -> Terms {
    let producer = |(plan, &node): (&ProducerPlan, _)| ProducerTerms {
        node,
        topic: plan.topic.as_str().into(),
        acks: plan.acks,
        idempotent: plan.idempotence,
        ordered: plan.idempotence
            || plan.properties.int("max.in.flight.requests.per.connection") == 1
            || plan.properties.int("retries") == 0,
        is_external: false,
    };
    let consumer = |(plan, &node): (&ConsumerPlan, _)| ConsumerTerms {
        node,
        group: {
            let old = plan.old.as_ref().map(|old| &old.group);
            plan.group.as_ref().map(|group| &group.id).or(old).map(|id| id.as_str().into())
        },
        topics: plan.topics.iter().map(|topic| topic.as_str().into()).collect(),
        from_beginning: plan.from == ReadFrom::Beginning,
        read_committed: plan.properties.optional_text("isolation.level") == Some("read_committed"),
        max_poll_interval: {
            let interval = |group: &GroupPlan| group.properties.ms("max.poll.interval.ms");
            plan.group.as_ref().map(interval).unwrap_or_default()
        },
        metadata_max_age: plan.properties.ms("metadata.max.age.ms"),
    };
    let topic = |plan: &TopicPlan| TopicTerms {
        name: plan.name.as_str().into(),
        min_insync_replicas: u32::try_from(plan.properties.int("min.insync.replicas")).unwrap_or(0),
        unclean_leader_election: plan.properties.bool("unclean.leader.election.enable"),
        assignment: plan.assignment.clone(),
    };
    Terms {
        roster: (*names.roster).clone(),
        brokers: plan.brokers.iter().map(|b| b.id).zip(names.brokers.iter().copied()).collect(),
        kafka: plan.kafka,
        topics: plan.topics.iter().map(topic).collect(),
        producers: plan.producers.iter().zip(&names.producers).map(producer).collect(),
        consumers: plan.consumers.iter().zip(&names.consumers).map(consumer).collect(),
        admin: Some(names.admin),
        commands: names.commands.clone(),
        local_sessions: plan
            .zookeepers
            .iter()
            .any(|server| server.properties.bool("localSessionsEnabled")),
        acknowledged_loss: if plan.expect.acknowledged_loss_permitted {
            Permission::Permitted
        } else {
            Permission::Forbidden
        },
        unavailability_max: plan.expect.unavailable_at_most,
        expected: plan.expect.happened.clone(),
        never: plan.expect.never.clone(),
        wanted: plan.expect.wanted.clone(),
        latency_max: plan.expect.latency_at_most.clone(),
    }
}
