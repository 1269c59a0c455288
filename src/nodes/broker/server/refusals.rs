//! Requests about security, as a broker answers them that has no authorizer and takes connections without
//! authentication (PLAINTEXT): it refuses them. And requests of the next protocol of groups (KIP-848), which brokers at
//! a ZooKeeper know, and do not have.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response::DescribedGroup;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::{
    ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatResponse, CreateAclsResponse,
    CreateDelegationTokenResponse, DeleteAclsResponse, DescribeAclsResponse,
    DescribeDelegationTokenResponse, ExpireDelegationTokenResponse, RenewDelegationTokenResponse,
    RequestKind, ResponseKind, SaslAuthenticateResponse, SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::releases::texts::{Text, say};
use crate::releases::{Change, KafkaVersion};

/// `DelegationTokenManager.ErrorTimestamp`
const NO_TIME: i64 = -1;
/// The one mechanism of `sasl.enabled.mechanisms`, unless that is set.
const GSSAPI: &str = "GSSAPI";

/// The first version of CreateDelegationToken that says who asked (KIP-373).
const WITH_REQUESTER: i16 = 3;

/// The answer to such a request, of this version of its API; `None` for all others.
pub fn answer(
    version: KafkaVersion,
    request: &RequestKind,
    api_version: i16,
) -> Option<ResponseKind> {
    let no_authorizer = || Some(StrBytes::from_string(say(Text::NoAuthorizer, version, &[])));
    let disabled = ResponseError::SecurityDisabled.code();
    let no_tokens = ResponseError::DelegationTokenRequestNotAllowed.code();
    let no_such_protocol = ResponseError::UnsupportedVersion.code();
    Some(match request {
        RequestKind::DescribeAcls(_) => {
            let why = StrBytes::from_static_str("No Authorizer is configured on the broker");
            let response = DescribeAclsResponse::default();
            response.with_error_code(disabled).with_error_message(Some(why)).into()
        }
        RequestKind::CreateAcls(request) => {
            let result = AclCreationResult::default()
                .with_error_code(disabled)
                .with_error_message(no_authorizer());
            let results = vec![result; request.creations.len()];
            CreateAclsResponse::default().with_results(results).into()
        }
        RequestKind::DeleteAcls(request) => {
            let result = DeleteAclsFilterResult::default()
                .with_error_code(disabled)
                .with_error_message(no_authorizer());
            let results = vec![result; request.filters.len()];
            DeleteAclsResponse::default().with_filter_results(results).into()
        }
        RequestKind::SaslHandshake(_) => {
            let lists = !version.has(Change::NoMechanismsWithoutSasl);
            SaslHandshakeResponse::default()
                .with_error_code(ResponseError::IllegalSaslState.code())
                .with_mechanisms(
                    lists.then(|| StrBytes::from_static_str(GSSAPI)).into_iter().collect(),
                )
                .into()
        }
        RequestKind::SaslAuthenticate(_) => {
            let why = "SaslAuthenticate request received after successful authentication";
            SaslAuthenticateResponse::default()
                .with_error_code(ResponseError::IllegalSaslState.code())
                .with_error_message(Some(StrBytes::from_static_str(why)))
                .into()
        }
        RequestKind::CreateDelegationToken(_) => no_token(no_tokens, api_version).into(),
        RequestKind::RenewDelegationToken(_) => RenewDelegationTokenResponse::default()
            .with_error_code(no_tokens)
            .with_expiry_timestamp_ms(NO_TIME)
            .into(),
        RequestKind::ExpireDelegationToken(_) => ExpireDelegationTokenResponse::default()
            .with_error_code(no_tokens)
            .with_expiry_timestamp_ms(NO_TIME)
            .into(),
        RequestKind::DescribeDelegationToken(_) => {
            DescribeDelegationTokenResponse::default().with_error_code(no_tokens).into()
        }
        RequestKind::ConsumerGroupHeartbeat(_) => {
            ConsumerGroupHeartbeatResponse::default().with_error_code(no_such_protocol).into()
        }
        RequestKind::ConsumerGroupDescribe(request) => {
            let group = DescribedGroup::default().with_error_code(no_such_protocol);
            let groups = request.group_ids.iter().map(|id| group.clone().with_group_id(id.clone()));
            ConsumerGroupDescribeResponse::default().with_groups(groups.collect()).into()
        }
        _ => return None,
    })
}

/// CreateDelegationToken, refused with `error`.
fn no_token(error: i16, api_version: i16) -> CreateDelegationTokenResponse {
    let user = || (StrBytes::from_static_str("User"), StrBytes::from_static_str("ANONYMOUS"));
    let (kind, name) = user();
    let (asking_kind, asking_name) = match api_version {
        WITH_REQUESTER.. => user(),
        _ => Default::default(),
    };
    CreateDelegationTokenResponse::default()
        .with_error_code(error)
        .with_principal_type(kind)
        .with_principal_name(name)
        .with_token_requester_principal_type(asking_kind)
        .with_token_requester_principal_name(asking_name)
        .with_issue_timestamp_ms(NO_TIME)
        .with_expiry_timestamp_ms(NO_TIME)
        .with_max_timestamp_ms(NO_TIME)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::create_acls_request::AclCreation;
    use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
    use kafka_protocol::messages::{
        ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, CreateAclsRequest,
        CreateDelegationTokenRequest, DeleteAclsRequest, DescribeAclsRequest,
        DescribeDelegationTokenRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
    };

    use kafka_protocol::protocol::Encodable;

    use super::*;

    fn of(version: &str, request: impl Into<RequestKind>) -> ResponseKind {
        answer(version.parse().unwrap(), &request.into(), 0).expect("one that is refused")
    }

    #[test]
    fn without_an_authorizer_there_are_no_acls() {
        // Recorded: `acls-without-authorizer`.
        let long = "No Authorizer is configured on the broker";
        for (version, short) in [
            ("0.11", "No Authorizer is configured on the broker."),
            ("2.8", "No Authorizer is configured on the broker."),
            ("3.3", "No Authorizer is configured."),
            ("3.9", "No Authorizer is configured."),
        ] {
            let ResponseKind::DescribeAcls(describe) = of(version, DescribeAclsRequest::default())
            else {
                panic!("of the same API")
            };
            assert_eq!((describe.error_code, describe.error_message.as_deref()), (54, Some(long)));
            let create =
                CreateAclsRequest::default().with_creations(vec![AclCreation::default(); 2]);
            let ResponseKind::CreateAcls(create) = of(version, create) else { panic!("the same") };
            let delete =
                DeleteAclsRequest::default().with_filters(vec![DeleteAclsFilter::default()]);
            let ResponseKind::DeleteAcls(delete) = of(version, delete) else { panic!("the same") };
            assert_eq!((create.results.len(), delete.filter_results.len()), (2, 1));
            let (one, other) = (&create.results[1], &delete.filter_results[0]);
            assert_eq!(
                (one.error_code, one.error_message.as_deref()),
                (54, Some(short)),
                "{version}"
            );
            assert_eq!((other.error_code, other.error_message.as_deref()), (54, Some(short)));
        }
    }

    #[test]
    fn the_next_protocol_of_groups_is_not_there() {
        // Recorded: `groups.consumer-protocol-off`.
        let answer = of("3.9", ConsumerGroupHeartbeatRequest::default());
        let ResponseKind::ConsumerGroupHeartbeat(beat) = answer else { panic!("of the same API") };
        assert_eq!((beat.error_code, beat.error_message), (35, None));
        assert_eq!((beat.member_id, beat.member_epoch), (None, 0));
        assert_eq!((beat.heartbeat_interval_ms, beat.assignment), (0, None));
        let groups = vec![StrBytes::from_static_str("g").into()];
        let answer = of("3.9", ConsumerGroupDescribeRequest::default().with_group_ids(groups));
        let ResponseKind::ConsumerGroupDescribe(answer) = answer else { panic!("of the same API") };
        let [group] = &answer.groups[..] else { panic!("{answer:?}") };
        assert_eq!((group.error_code, group.error_message.clone()), (35, None));
        assert_eq!((&*group.group_id.0, &*group.group_state, &*group.assignor_name), ("g", "", ""));
        assert_eq!((group.group_epoch, group.assignment_epoch), (0, 0));
        assert_eq!((group.members.len(), group.authorized_operations), (0, i32::MIN));
    }

    #[test]
    fn without_sasl_its_requests_come_too_late() {
        // Recorded: `sasl-without-sasl`.
        for (version, mechanisms) in [("0.10", 1), ("0.11", 1), ("1.0", 0), ("3.9", 0)] {
            let answer = of(version, SaslHandshakeRequest::default());
            let ResponseKind::SaslHandshake(answer) = answer else { panic!("of the same API") };
            assert_eq!((answer.error_code, answer.mechanisms.len()), (34, mechanisms), "{version}");
        }
        let answer = of("1.1", SaslAuthenticateRequest::default());
        let ResponseKind::SaslAuthenticate(answer) = answer else { panic!("of the same API") };
        assert_eq!((answer.error_code, answer.session_lifetime_ms), (34, 0));
        assert!(answer.error_message.is_some_and(|why| why.contains("after successful")));
    }

    #[test]
    fn tokens_are_refused_on_a_listener_without_authentication() {
        // `KafkaApis.allowTokenRequests` of 1.1 to 3.9.
        let answer = of("1.1", CreateDelegationTokenRequest::default());
        let ResponseKind::CreateDelegationToken(answer) = answer else { panic!("of the same API") };
        let times =
            [answer.issue_timestamp_ms, answer.expiry_timestamp_ms, answer.max_timestamp_ms];
        assert_eq!((answer.error_code, times), (64, [-1; 3]));
        assert_eq!(&*answer.principal_name, "ANONYMOUS");
        // Who asks is only in the last version.
        for (api_version, asks) in [(0, ""), (2, ""), (3, "ANONYMOUS")] {
            let request = CreateDelegationTokenRequest::default().into();
            let answer = super::answer("3.9".parse().unwrap(), &request, api_version);
            let Some(ResponseKind::CreateDelegationToken(answer)) = answer else {
                panic!("of the same API")
            };
            assert_eq!(&*answer.token_requester_principal_name, asks);
            assert!(answer.compute_size(api_version).is_ok(), "v{api_version} encodes");
        }
        let answer = of("3.9", DescribeDelegationTokenRequest::default());
        let ResponseKind::DescribeDelegationToken(answer) = answer else { panic!("the same") };
        assert_eq!((answer.error_code, answer.tokens.len()), (64, 0));
    }
}
