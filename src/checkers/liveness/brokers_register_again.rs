//! In the end, every broker that runs is registered.

use crate::checkers::{Case, Checker, Class, FirstCase, Judged, Property, Subject, Verdict};
use crate::model::{Missing, Model};
use crate::vocab::Time;

/// What is judged.
pub const PROPERTY: Property = Property {
    name: "brokers-register-again",
    statement: "when a run ends, every broker that runs has registered, since its process began \
                and since its session expired last",
    source: "Kafka: ZooKeeper session expiry handling (KafkaServer, KafkaZkClient); KIP-320's and \
             KIP-966's models: weak fairness of becoming alive",
    leaves_out: "brokers while ZooKeeper has no quorum; whether the registration is \
                 still there: replicas-converge needs it to be",
    looks_at: Subject::Cluster,
    class: Class::Liveness,
};

/// Judges by what the model holds in the end.
#[derive(Clone, Copy, Debug)]
pub struct BrokersRegisterAgain;

impl Checker for BrokersRegisterAgain {
    fn judge(&self, model: &Model, end: Time) -> Judged {
        let mut cases = FirstCase::default();
        for lack in model.lacks() {
            let Missing::Registration(node, unregistered) = lack.missing else { continue };
            cases.found(|| {
                let (name, since) = (model.terms.name(node), unregistered.since);
                let what = format!("{name} is not registered at the end, since {since:.3}");
                let blocked = unregistered.blocked_by.map(|session| {
                    format!("it waits for session {session:#x} of its former process to expire")
                });
                Case::of(end, what).about(&model.terms, [node]).because(blocked)
            });
        }
        PROPERTY.forbidden(Verdict::from_evidence(cases.evidence()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::{Story, rejects};
    use crate::history::{BrokerObservation, Life, ZooKeeperObservation};
    use crate::vocab::Zxid;

    fn story() -> Story {
        let mut story = Story::default();
        story.server(ZooKeeperObservation::Recovered { zxid: Zxid(0) });
        story.life(1, Life::Started).registered(1, 7);
        story
    }

    #[test]
    fn a_broker_that_registers_again_is_accepted_and_so_is_one_that_is_down() {
        let mut story = story();
        story.session_expired(1, 3).registered(1, 8).life(2, Life::Started).life(2, Life::Crashed);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }

    #[test]
    fn a_broker_that_does_not_is_rejected_with_what_it_waits_for() {
        let mut story = story();
        story.at(12_000).life(1, Life::Crashed).at(13_000).life(1, Life::Started);
        story.told_by(1, BrokerObservation::RegistrationBlocked { session: 0x100 });
        let evidence = rejects(&story, &PROPERTY);
        assert_eq!(evidence.to_string(), "b1 is not registered at the end, since 13.000s");
        let waits = "it waits for session 0x100 of its former process to expire";
        assert_eq!(evidence.because(), [waits]);
    }

    #[test]
    fn no_broker_registers_without_zookeeper() {
        let mut story = story();
        story.session_expired(1, 3).server_life(Life::Crashed);
        assert_eq!(story.judgement().verdict(&PROPERTY), &Verdict::Holds);
    }
}
