//! AlterUserScramCredentials and DescribeUserScramCredentials (2.7+, KIP-554): credentials are kept in `/config/users`,
//! beside quotas (`ZkAdminManager`). No connection is authenticated with them: all listeners are PLAINTEXT.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::alter_user_scram_credentials_response as altering;
use kafka_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;

use super::admin_calls::{children, get};
use super::admin_work::Answer;
use super::broker::Broker;
use super::quota_names::{desanitized, sanitized};
use super::scram_credentials::{MECHANISMS, credential, iterations, mechanism};
use super::zk_requests::data;
use crate::nodes::broker::TopicOverrides;
use crate::nodes::broker::context::{Context, ReplyTo};
use crate::nodes::broker::znodes::{paths, payload};
use crate::releases::Change;
use crate::wire::zookeeper::Reply;

/// How it ended for one user.
type AlteredRow = altering::AlterUserScramCredentialsResult;

/// The fewest iterations of either mechanism (`ScramMechanism.minIterations`).
const ITERATIONS_MIN: i32 = 4_096;
/// The most that a broker takes.
const ITERATIONS_MAX: i32 = 16_384;

const NO_NAME: &str = "Username must not be empty";
const NO_MECHANISM: &str = "Unknown SCRAM mechanism";
const UNEXPECTED: &str = "The server experienced an unexpected error when processing the request.";

fn refused_row(user: &StrBytes, error: ResponseError, why: &str) -> AlteredRow {
    AlteredRow::default()
        .with_user(user.clone())
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(why.to_owned())))
}

fn why_not_deleted(deletion: &ScramCredentialDeletion) -> Option<&'static str> {
    match (deletion.name.is_empty(), mechanism(deletion.mechanism)) {
        (true, _) => Some(NO_NAME),
        (false, None) => Some(NO_MECHANISM),
        (false, Some(_)) => None,
    }
}

fn why_not_put(upsertion: &ScramCredentialUpsertion) -> Option<&'static str> {
    if upsertion.name.is_empty() {
        Some(NO_NAME)
    } else if mechanism(upsertion.mechanism).is_none() {
        Some(NO_MECHANISM)
    } else if upsertion.iterations > ITERATIONS_MAX {
        Some("Too many iterations")
    } else if upsertion.iterations < ITERATIONS_MIN {
        Some("Too few iterations")
    } else {
        None
    }
}

/// A request that is being worked on.
#[derive(Debug)]
struct Work {
    to: ReplyTo,
    request: AlterUserScramCredentialsRequest,
    /// Users who are not refused yet, in the order of the request.
    users: Vec<StrBytes>,
    results: Vec<AlteredRow>,
}

impl Work {
    /// Refuses the users for whom the request alone is wrong.
    fn new(to: ReplyTo, request: AlterUserScramCredentialsRequest) -> Self {
        let mut work = Self { to, request, users: Vec::new(), results: Vec::new() };
        let refused = work.refuse_malformed();
        work.refuse_repeated(&refused);
        work
    }

    fn refuse_malformed(&mut self) -> BTreeSet<StrBytes> {
        let deletions = self.request.deletions.iter();
        let deletions = deletions.filter_map(|one| Some((&one.name, why_not_deleted(one)?)));
        let upsertions = self.request.upsertions.iter();
        let upsertions = upsertions.filter_map(|one| Some((&one.name, why_not_put(one)?)));
        // The last reason that is found for a user counts, and the first place.
        let (mut reasons, mut order) = (BTreeMap::new(), Vec::new());
        for (user, why) in deletions.chain(upsertions) {
            if reasons.insert(user, why).is_none() {
                order.push(user);
            }
        }
        let refused = order.into_iter().map(|user| {
            let why = reasons[user];
            let error = match why {
                NO_MECHANISM => ResponseError::UnsupportedSaslMechanism,
                _ => ResponseError::UnacceptableCredential,
            };
            refused_row(user, error, why)
        });
        self.results = refused.collect();
        self.results.iter().map(|refused| refused.user.clone()).collect()
    }

    fn refuse_repeated(&mut self, refused: &BTreeSet<StrBytes>) {
        let upsertions = self.request.upsertions.iter().map(|one| (&one.name, one.mechanism));
        let deletions = self.request.deletions.iter().map(|one| (&one.name, one.mechanism));
        let (mut seen, mut users, mut repeated) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let mut known = BTreeSet::new();
        for (user, mechanism) in upsertions.chain(deletions) {
            if refused.contains(user) {
                continue;
            }
            if known.insert(user) {
                users.push(user.clone());
            }
            if !seen.insert((user, mechanism)) {
                repeated.insert(user.clone());
            }
        }
        for user in users {
            if repeated.contains(&user) {
                let why = "A user credential cannot be altered twice in the same request";
                self.results.push(refused_row(&user, ResponseError::DuplicateResource, why));
            } else {
                self.users.push(user);
            }
        }
    }

    /// What is to be written, in order, when this is what the users have. Where one credential cannot be made, none is
    /// written, as a real broker tries to make all of them for each user.
    fn writes(&mut self, mut known: BTreeMap<StrBytes, TopicOverrides>) -> VecDeque<Write> {
        let mut unknown = BTreeSet::new();
        for deletion in &self.request.deletions {
            let (Some(set), Some(name)) =
                (known.get(&deletion.name), mechanism(deletion.mechanism))
            else {
                continue;
            };
            if !set.contains_key(name) && unknown.insert(&deletion.name) {
                let why = "Attempt to delete a user credential that does not exist";
                let error = ResponseError::ResourceNotFound;
                self.results.push(refused_row(&deletion.name, error, why));
            }
        }
        known.retain(|user, _| !unknown.contains(user));
        for deletion in &self.request.deletions {
            let name = mechanism(deletion.mechanism);
            if let (Some(set), Some(name)) = (known.get_mut(&deletion.name), name) {
                set.remove(name);
            }
        }
        let mut has_failed = false;
        for upsertion in &self.request.upsertions {
            let name = mechanism(upsertion.mechanism);
            if let (Some(set), Some(name)) = (known.get_mut(&upsertion.name), name) {
                match credential(upsertion) {
                    Some(credential) => drop(set.insert(name.to_owned(), credential)),
                    None => has_failed = true,
                }
            }
        }
        if has_failed {
            let users = self.users.iter().filter(|user| known.contains_key(*user));
            let failed =
                users.map(|user| refused_row(user, ResponseError::UnknownServerError, UNEXPECTED));
            self.results.extend(failed);
            return VecDeque::new();
        }
        let users = std::mem::take(&mut self.users).into_iter();
        users.filter_map(|user| Some((user.clone(), known.remove(&user)?))).collect()
    }
}

/// A user, and what is kept of it then.
type Write = (StrBytes, TopicOverrides);

/// The path of a user's settings, below `/config`.
fn entity(user: &str) -> String {
    format!("users/{}", sanitized(&Some(user.to_owned())))
}

/// What is kept of a user; nothing when there is no such znode.
fn settings(answer: &Answer) -> TopicOverrides {
    data(answer).and_then(|data| payload::decode_config(&data).ok()).unwrap_or_default()
}

/// A user's credentials as they are told; `None` when there are none.
fn told(user: &str, set: &TopicOverrides) -> Option<DescribeUserScramCredentialsResult> {
    let kept: Vec<_> = MECHANISMS
        .iter()
        .filter_map(|(number, name)| Some((*number, set.get(*name)?)))
        .map(|(number, text)| {
            let info = CredentialInfo::default().with_mechanism(number);
            Some(info.with_iterations(iterations(text)?))
        })
        .collect();
    if kept.is_empty() {
        return None;
    }
    let user = StrBytes::from_string(user.to_owned());
    let result = DescribeUserScramCredentialsResult::default().with_user(user);
    Some(match kept.into_iter().collect::<Option<_>>() {
        Some(infos) => result.with_credential_infos(infos),
        None => result
            .with_error_code(ResponseError::UnknownServerError.code())
            .with_error_message(Some(StrBytes::from_static_str(UNEXPECTED))),
    })
}

fn not_told(
    user: &StrBytes,
    error: ResponseError,
    why: String,
) -> DescribeUserScramCredentialsResult {
    DescribeUserScramCredentialsResult::default()
        .with_user(user.clone())
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(why)))
}

/// The users of a request who are refused without a look at what is kept.
fn not_told_at_once(users: &[StrBytes]) -> BTreeMap<StrBytes, DescribeUserScramCredentialsResult> {
    let mut times: BTreeMap<&StrBytes, usize> = BTreeMap::new();
    users.iter().for_each(|user| *times.entry(user).or_default() += 1);
    let refused = times.into_iter().filter_map(|(user, times)| {
        let (error, why) = match (user.is_empty(), times) {
            (true, _) => (ResponseError::ResourceNotFound, NO_NAME.to_owned()),
            (false, 1) => return None,
            (false, _) => {
                let why = format!(
                    "Cannot describe SCRAM credentials for the same user twice in a single \
                     request: {user}"
                );
                (ResponseError::DuplicateResource, why)
            }
        };
        Some((user.clone(), not_told(user, error, why)))
    });
    refused.collect()
}

fn describe(cx: &mut Context<'_>, to: ReplyTo, results: Vec<DescribeUserScramCredentialsResult>) {
    let response = DescribeUserScramCredentialsResponse::default().with_results(results);
    cx.reply(to, ResponseKind::DescribeUserScramCredentials(response));
}

impl Broker {
    /// AlterUserScramCredentials.
    pub(super) fn alter_scram_credentials(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: AlterUserScramCredentialsRequest,
    ) {
        if !self.controller.is_active() {
            let deleted = request.deletions.iter().map(|one| &one.name);
            let put = request.upsertions.iter().map(|one| &one.name);
            let users: BTreeSet<_> = deleted.chain(put).collect();
            let refused = |user: &StrBytes| {
                AlteredRow::default()
                    .with_user(user.clone())
                    .with_error_code(ResponseError::NotController.code())
                    .with_error_message(None)
            };
            let response = AlterUserScramCredentialsResponse::default()
                .with_results(users.into_iter().map(refused).collect());
            return cx.reply(to, ResponseKind::AlterUserScramCredentials(response));
        }
        let mut work = Work::new(to, request);
        let read = |user: &StrBytes| get(paths::entity_config(&entity(user)));
        let reads = work.users.iter().map(read).collect();
        self.ask_zookeeper(cx, reads, move |this, cx, answers| {
            let known = work.users.iter().cloned().zip(answers.iter().map(settings)).collect();
            let writes = work.writes(known);
            this.write_scram_credentials(cx, work, writes);
        });
    }

    fn write_scram_credentials(
        &mut self,
        cx: &mut Context<'_>,
        mut work: Work,
        mut left: VecDeque<Write>,
    ) {
        let Some((user, set)) = left.pop_front() else {
            // Those that could not be written come before the others.
            work.results.sort_by_key(|result| result.error_code == 0);
            let response = AlterUserScramCredentialsResponse::default().with_results(work.results);
            return cx.reply(work.to, ResponseKind::AlterUserScramCredentials(response));
        };
        let data = payload::encode_config(&set);
        self.write_entity_config(cx, &entity(&user), data, move |this, cx, written| {
            work.results.push(match written {
                Ok(()) => AlteredRow::default().with_user(user),
                Err(_) => refused_row(&user, ResponseError::UnknownServerError, UNEXPECTED),
            });
            this.write_scram_credentials(cx, work, left);
        });
    }

    /// DescribeUserScramCredentials.
    pub(super) fn describe_scram_credentials(
        &mut self,
        cx: &mut Context<'_>,
        to: ReplyTo,
        request: &DescribeUserScramCredentialsRequest,
    ) {
        let users: Vec<_> = request.users.iter().flatten().map(|user| user.name.clone()).collect();
        if users.is_empty() {
            return self.describe_all_scram_credentials(cx, to);
        }
        let mut refused = not_told_at_once(&users);
        let asked: Vec<_> =
            users.iter().filter(|user| !refused.contains_key(*user)).cloned().collect();
        let reads = asked.iter().map(|user| get(paths::entity_config(&entity(user)))).collect();
        self.ask_zookeeper(cx, reads, move |_, cx, answers| {
            let known = asked.into_iter().zip(answers.iter().map(settings));
            let mut results: BTreeMap<_, _> = known
                .map(|(user, set)| {
                    let result = told(&user, &set).unwrap_or_else(|| {
                        let why = format!(
                            "Attempt to describe a user credential that does not exist: {user}"
                        );
                        not_told(&user, ResponseError::ResourceNotFound, why)
                    });
                    (user, result)
                })
                .collect();
            results.append(&mut refused);
            let in_order = users.iter().filter_map(|user| results.remove(user)).collect();
            describe(cx, to, in_order);
        });
    }

    /// All users that have credentials, by their names.
    fn describe_all_scram_credentials(&mut self, cx: &mut Context<'_>, to: ReplyTo) {
        self.ask_zookeeper_once(cx, children("/config/users"), move |this, cx, answer| {
            let names = match answer {
                Ok(Reply::Children(names) | Reply::Children2 { children: names, .. }) => names,
                _ => Vec::new(),
            };
            let read = |name| get(paths::entity_config(&format!("users/{name}")));
            let reads = names.iter().map(read).collect();
            this.ask_zookeeper(cx, reads, move |this, cx, answers| {
                let decodes = this.config.version.has(Change::ScramNamesDecoded);
                let mut results: Vec<_> = names
                    .iter()
                    .zip(&answers)
                    .filter_map(|(name, answer)| {
                        let decoded = desanitized(name).filter(|_| decodes);
                        told(&decoded.unwrap_or_else(|| name.to_string()), &settings(answer))
                    })
                    .collect();
                results.sort_by(|one, next| one.user.cmp(&next.user));
                describe(cx, to, results);
            });
        });
    }
}
