//! The application of a member: it polls, processes records one by one, and commits as it is told to.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::assignment::observe;
use super::super::records::{Before, Producers, RecordReader};
use super::config::CommitPolicy;
use super::member::{Client, Member};
use crate::history::ClientObservation;
use crate::nodes::Effects;
use crate::nodes::clients::wake::earlier;
use crate::vocab::{Mutant, Time};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Activity {
    /// It is in `poll`.
    #[default]
    Polling,
    /// It waits for a commit, and processes then, or polls.
    Committing { then_processes: bool },
    /// It has processed the next record at this moment of the monotonic clock.
    Processing(Time),
    /// It closes the consumer.
    Closing,
}

/// The application.
#[derive(Debug, Default)]
pub struct Application {
    activity: Activity,
    polled: VecDeque<ClientObservation>,
    before: Vec<Before>,
    /// What the monotonic clock shows: processing takes its time by that one.
    monotonic: Time,
    is_asked_to_end: bool,
}

/// What the application does in one step.
pub enum Progress {
    /// It waits for an input, or for this moment.
    Waits(Option<Time>),
    /// It has ended.
    Ended,
}

impl Application {
    /// It ends when it has processed what it has.
    pub fn end(&mut self) {
        self.is_asked_to_end = true;
    }

    /// Goes on as far as it can: by the clock of timeouts, and the monotonic one.
    pub fn run(
        &mut self,
        (now, monotonic): (Time, Time),
        member: &mut Member,
        (client, producers): (&mut Client<'_>, &mut Producers),
        effects: &mut Effects,
    ) -> Progress {
        self.monotonic = monotonic;
        loop {
            if member.has_failed() {
                return Progress::Ended;
            }
            let waits = match self.activity {
                Activity::Polling if self.is_asked_to_end => {
                    self.activity = Activity::Closing;
                    continue;
                }
                Activity::Polling => {
                    let waits = member.poll(now, client, effects);
                    if !member.is_giving_up()
                        && self.poll(now, member, (client, producers), effects)
                    {
                        continue;
                    }
                    waits
                }
                Activity::Committing { then_processes } => {
                    let waits = member.wait_for_commit(now, client, effects);
                    if let Some(outcome) = member.commit_outcome() {
                        self.committed(outcome.is_ok(), then_processes, (member, client), effects);
                        continue;
                    }
                    waits
                }
                Activity::Processing(until) => {
                    match self.process(until, member.config.processing, effects) {
                        Some(until) => {
                            self.activity = Activity::Processing(until);
                            Some(now + until.since(monotonic))
                        }
                        None => {
                            self.processed(now, member, client);
                            continue;
                        }
                    }
                }
                Activity::Closing => match member.close(now, client, effects) {
                    Ok(waits) => return Progress::Waits(waits),
                    Err(()) => return Progress::Ended,
                },
            };
            let is_processing = matches!(self.activity, Activity::Processing(_));
            if is_processing && client.config.is(Mutant::HeartbeatInPollOnly) {
                return Progress::Waits(waits);
            }
            return Progress::Waits(earlier(waits, member.beat(now, client, effects)));
        }
    }

    /// Takes the records of one poll; whether there are any.
    fn poll(
        &mut self,
        now: Time,
        member: &mut Member,
        (client, producers): (&mut Client<'_>, &mut Producers),
        effects: &mut Effects,
    ) -> bool {
        let (most, processing) = (member.config.max_poll_records, member.config.processing);
        if client.can_validate {
            client.assignment.compare_leaders(client.metadata, client.config);
        }
        let mut reader = RecordReader { assignment: client.assignment, producers };
        let again = now + client.config.retry_backoff;
        self.before.clear();
        reader.poll(most, again, (&mut self.polled, &mut self.before), effects);
        if self.polled.is_empty() {
            return false;
        }
        let is_early = client.config.is(Mutant::CommitBeforeProcessed);
        if member.config.commit == CommitPolicy::BeforeProcessing || is_early {
            member.commit(now, client);
            self.activity = Activity::Committing { then_processes: true };
        } else {
            self.activity = Activity::Processing(self.monotonic + processing);
        }
        true
    }

    /// A commit has ended. One that comes before the processing and fails makes the application go back.
    fn committed(
        &mut self,
        is_accepted: bool,
        then_processes: bool,
        (member, client): (&Member, &mut Client<'_>),
        effects: &mut Effects,
    ) {
        if is_accepted && then_processes {
            self.activity = Activity::Processing(self.monotonic + member.config.processing);
            return;
        }
        if then_processes {
            self.polled.clear();
            for (slot, position, epoch) in self.before.drain(..) {
                client.assignment.seek_back(slot, (position, epoch), effects);
            }
        }
        self.activity = Activity::Polling;
    }

    /// Processes what is due; when the next record will be done, if there is one.
    fn process(
        &mut self,
        mut until: Time,
        processing: Duration,
        effects: &mut Effects,
    ) -> Option<Time> {
        while let Some(next) = self.polled.front() {
            let is_record = matches!(next, ClientObservation::Consumed { .. });
            if is_record && until > self.monotonic {
                return Some(until);
            }
            if is_record {
                until = self.monotonic + processing;
            }
            observe(effects, self.polled.pop_front().expect("it is there"));
        }
        None
    }

    /// Everything that was polled is processed.
    fn processed(&mut self, now: Time, member: &mut Member, client: &Client<'_>) {
        if member.config.commit == CommitPolicy::AfterProcessing {
            member.commit(now, client);
            self.activity = Activity::Committing { then_processes: false };
        } else {
            self.activity = Activity::Polling;
        }
    }
}
