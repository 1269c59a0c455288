//! SCRAM credentials of users: what is answered, and what is kept in their znodes.

use bytes::Bytes;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::describe_user_scram_credentials_response as described_users;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::cluster::await_cluster;
use crate::nodes::testing::Cluster;
use crate::vocab::BrokerId;

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn put(user: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion::default()
        .with_name(text(user))
        .with_mechanism(mechanism)
        .with_iterations(iterations)
        .with_salt(Bytes::from_static(b"salt"))
        .with_salted_password(Bytes::from_static(b"salted"))
}

fn delete(user: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion::default().with_name(text(user)).with_mechanism(mechanism)
}

type Rows = Vec<(String, i16, String)>;

fn alter(
    cluster: &mut Cluster,
    to: BrokerId,
    deletions: Vec<ScramCredentialDeletion>,
    upsertions: Vec<ScramCredentialUpsertion>,
) -> Rows {
    let request = AlterUserScramCredentialsRequest::default()
        .with_deletions(deletions)
        .with_upsertions(upsertions);
    let answer = cluster.call(to, request).expect("it is answered");
    let row = |text: Option<StrBytes>| text.as_deref().unwrap_or("-").to_owned();
    let results = answer.results.into_iter();
    results.map(|one| (one.user.to_string(), one.error_code, row(one.error_message))).collect()
}

/// A user with an error, or with mechanisms and iterations.
type Described = (String, i16, Vec<(i8, i32)>);

fn described(cluster: &mut Cluster, users: &[&str]) -> Vec<Described> {
    let users = users.iter().map(|user| UserName::default().with_name(text(user))).collect();
    let request = DescribeUserScramCredentialsRequest::default().with_users(Some(users));
    let answer = cluster.call(BrokerId(2), request).expect("it is answered");
    assert_eq!((answer.error_code, answer.error_message.as_deref()), (0, Some("")));
    let infos = |one: &described_users::DescribeUserScramCredentialsResult| {
        one.credential_infos.iter().map(|info| (info.mechanism, info.iterations)).collect()
    };
    answer.results.iter().map(|one| (one.user.to_string(), one.error_code, infos(one))).collect()
}

fn row(user: &str, error: i16, why: &str) -> (String, i16, String) {
    (user.to_owned(), error, why.to_owned())
}

#[test]
fn scram_credentials_are_kept_and_told() {
    for (version, blank) in [("2.7", "a%20b"), ("3.5.1", "a%20b"), ("3.9", "a b")] {
        let mut cluster = Cluster::new(version.parse().expect("a release"), 3);
        let controller = await_cluster(&mut cluster);
        let other = BrokerId(if controller.0 == 1 { 2 } else { 1 });
        let refused = alter(&mut cluster, other, vec![delete("b", 1)], vec![put("a", 1, 4_096)]);
        assert_eq!(refused, [row("a", 41, "-"), row("b", 41, "-")], "{version}");

        let all = vec![put("u2", 1, 4_096), put("a b", 2, 16_384), put("u2", 2, 8_192)];
        let done = alter(&mut cluster, controller, Vec::new(), all);
        assert_eq!(done, [row("u2", 0, ""), row("a b", 0, "")], "{version}");
        let data = cluster.tree().get("/config/users/u2").expect("it is there").data.clone();
        let written = String::from_utf8(data.expect("it has data").to_vec()).expect("a text");
        // The keys were computed with Python's hashlib and hmac.
        let kept = "\"SCRAM-SHA-256\":\"salt=c2FsdA==,\
                    stored_key=pDJPdNW4lb6SBic4/4xXGF9rznEdITXt4LsBe5GOK4o=,\
                    server_key=/uCXMt5tVlIDe5JxsoFXiy4ecf7WZelzVsMSW2SZz1o=,iterations=4096\"";
        assert!(written.contains(kept), "{version}: {written}");
        assert!(cluster.tree().get("/config/users/a%20b").is_some(), "{version}");

        let both = vec![(1, 4_096), (2, 8_192)];
        let told = described(&mut cluster, &[]);
        let blank = (blank.to_owned(), 0, vec![(2, 16_384)]);
        assert_eq!(told, [blank, ("u2".to_owned(), 0, both)], "{version}");
        let told = described(&mut cluster, &["a b", "x", "", "u2", "u2"]);
        let codes: Vec<_> = told.iter().map(|(user, error, _)| (&**user, *error)).collect();
        assert_eq!(codes, [("a b", 0), ("x", 91), ("", 91), ("u2", 92)], "{version}");

        let done = alter(&mut cluster, controller, vec![delete("u2", 1)], Vec::new());
        assert_eq!(done, [row("u2", 0, "")], "{version}");
        let told = described(&mut cluster, &["u2"]);
        assert_eq!(told, [("u2".to_owned(), 0, vec![(2, 8_192)])], "{version}");
    }
}

#[test]
fn scram_credentials_are_refused_user_by_user() {
    // As real brokers of 2.8.2 and 3.9.1 answered.
    let mut cluster = Cluster::new("2.8".parse().expect("a release"), 3);
    let controller = await_cluster(&mut cluster);
    let deletions = vec![delete("d", 3), delete("", 1), delete("gone", 2), delete("t", 1)];
    let upsertions = vec![
        put("few", 1, 4_095),
        put("many", 2, 16_385),
        put("d", 1, 4_096),
        put("twice", 1, 4_096),
        put("good", 2, 4_096),
        put("twice", 1, 8_192),
        put("t", 2, 4_096),
    ];
    let answer = alter(&mut cluster, controller, deletions, upsertions);
    let missing = "Attempt to delete a user credential that does not exist";
    let twice = "A user credential cannot be altered twice in the same request";
    let expected = [
        row("d", 33, "Unknown SCRAM mechanism"),
        row("", 93, "Username must not be empty"),
        row("few", 93, "Too few iterations"),
        row("many", 93, "Too many iterations"),
        row("twice", 92, twice),
        row("gone", 91, missing),
        row("t", 91, missing),
        row("good", 0, ""),
    ];
    assert_eq!(answer, expected);
    // No key can be made of an empty password: nothing of the request is written.
    let empty = put("bad", 1, 4_096).with_salted_password(Bytes::new());
    let answer = alter(&mut cluster, controller, Vec::new(), vec![put("new", 1, 4_096), empty]);
    assert_eq!(answer.iter().map(|row| row.1).collect::<Vec<_>>(), [-1, -1]);
    assert_eq!(described(&mut cluster, &["new"])[0].1, 91);
}
