//! Much of something small: requests without a pause, pieces of a byte, operations of ZooKeeper, and things that are
//! asked for again and again after a client made them large.

use bytes::Bytes;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeConfigsRequest, DescribeGroupsRequest, GroupId,
    ListGroupsRequest, MetadataRequest, RequestKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use kafka_sim::vocab::Zxid;
use kafka_sim::wire::zookeeper::{
    Acl, AddWatchMode, ConnectRequest, Create, Delete, MultiOp, MultiRead, Request, SetData,
    SetWatches, VersionCheck, WatcherType, create_flags, op,
};

use super::bulk::{Load, assert_linear};
use super::driver::turn;
use super::served::{Server, request};

/// The release of these clusters.
const RELEASE: &str = "3.4";
/// Bytes of a flood.
const SIZE: usize = 400 << 10;

fn to_broker(pieces: Vec<Bytes>) -> Load {
    Load { server: Server::Broker(1), pieces }
}

/// `one` again and again, in `size` bytes.
fn again(one: &Bytes, size: usize) -> Bytes {
    one.repeat(size / one.len()).into()
}

#[test]
fn requests_without_a_pause_cost_what_they_are() {
    let _turn = turn();
    let requests = [
        (ApiKey::ApiVersions, 0, RequestKind::ApiVersions(ApiVersionsRequest::default())),
        (ApiKey::Metadata, 1, RequestKind::Metadata(MetadataRequest::default())),
        (ApiKey::ListGroups, 0, RequestKind::ListGroups(ListGroupsRequest::default())),
    ];
    for (api, version, body) in requests {
        let one = request(api, version, &body);
        assert_linear(&format!("{api:?}"), RELEASE, SIZE / 4, |size| {
            to_broker(vec![again(&one, size)])
        });
    }
}

#[test]
fn a_request_in_pieces_costs_what_it_is() {
    let _turn = turn();
    // Never whole.
    let head = [&0x0010_0000_i32.to_be_bytes()[..], &[0, 3, 0, 1, 0, 0, 0, 7]].concat();
    assert_linear("pieces of a byte", RELEASE, 64 << 10, |size| {
        let mut pieces = vec![Bytes::from(head.clone())];
        pieces.extend((0..size).map(|_| Bytes::from_static(b"\0")));
        to_broker(pieces)
    });
}

#[test]
fn what_is_asked_for_again_and_again_costs_what_it_is() {
    let _turn = turn();
    let text = StrBytes::from_static_str;
    let broker =
        DescribeConfigsResource::default().with_resource_type(4).with_resource_name(text("1"));
    let keys = |count| {
        let keys = (0..count).map(|key| StrBytes::from_string(format!("k{key}"))).collect();
        broker.clone().with_configuration_keys(Some(keys))
    };
    let orders = MetadataRequestTopic::default().with_name(Some(TopicName(text("orders"))));
    type Make<'a> = &'a dyn Fn(usize) -> RequestKind;
    let of: [(&str, ApiKey, i16, Make<'_>); 5] = [
        ("a broker's settings", ApiKey::DescribeConfigs, 3, &|size| {
            let resources = vec![broker.clone().with_configuration_keys(None); size / 8];
            let request = DescribeConfigsRequest::default().with_resources(resources);
            RequestKind::DescribeConfigs(request.with_include_documentation(true))
        }),
        ("settings by name", ApiKey::DescribeConfigs, 1, &|size| {
            let request = DescribeConfigsRequest::default();
            RequestKind::DescribeConfigs(request.with_resources(vec![keys(size / 8)]))
        }),
        ("a group", ApiKey::DescribeGroups, 0, &|size| {
            let groups = vec![GroupId(text("g")); size / 3];
            RequestKind::DescribeGroups(DescribeGroupsRequest::default().with_groups(groups))
        }),
        ("groups in states", ApiKey::ListGroups, 4, &|size| {
            let states = vec![text("Dead"); size / 5];
            RequestKind::ListGroups(ListGroupsRequest::default().with_states_filter(states))
        }),
        ("a topic", ApiKey::Metadata, 1, &|size| {
            let topics = Some(vec![orders.clone(); size / 8]);
            RequestKind::Metadata(MetadataRequest::default().with_topics(topics))
        }),
    ];
    for (what, api, version, make) in of {
        assert_linear(what, RELEASE, SIZE, |size| {
            to_broker(vec![request(api, version, &make(size))])
        });
    }
}

fn create(path: String, flags: i32) -> Create {
    let (data, acl) = (Some(Bytes::from_static(b"data")), Acl::open());
    Create { op: op::CREATE, path: path.into(), data, acl, flags, ttl_ms: 0 }
}

fn to_zookeeper(requests: impl IntoIterator<Item = Request>) -> Load {
    let hello = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout_ms: 30_000,
        session: 0,
        password: Some(Bytes::from_static(&[0; 16])),
        read_only: Some(false),
    };
    let frames = (1..).zip(requests).map(|(xid, request)| request.encode(xid));
    let pieces = [hello.encode()].into_iter().chain(frames).collect();
    Load { server: Server::ZooKeeper, pieces }
}

fn zookeeper(what: &str, size: usize, make: impl Fn(usize) -> Vec<Request>) {
    let _turn = turn();
    assert_linear(what, RELEASE, size, |size| to_zookeeper(make(size)));
}

#[test]
fn a_multi_of_creates_costs_what_it_is() {
    let creates = |size: usize, flags| {
        let of = |number| MultiOp::Create(create(format!("/x{number}"), flags));
        vec![Request::Multi((0..size / 60).map(of).collect())]
    };
    zookeeper("creates", SIZE, |size| creates(size, 0));
    zookeeper("creates in a sequence", SIZE, |size| {
        creates(size, create_flags::EPHEMERAL_SEQUENTIAL)
    });
}

#[test]
fn a_multi_on_one_znode_costs_what_it_is() {
    let path = || std::sync::Arc::from("/x");
    let made = |rest: &dyn Fn() -> MultiOp, count: usize| {
        let first = MultiOp::Create(create("/x".to_owned(), 0));
        let rest = (0..count).map(|_| rest());
        vec![Request::Multi([first].into_iter().chain(rest).collect())]
    };
    let set = || MultiOp::SetData(SetData { path: path(), data: Some(Bytes::new()), version: -1 });
    zookeeper("writes", 2 * SIZE, |size| made(&set, size / 30));
    let check = || MultiOp::Check(VersionCheck { path: path(), version: -1 });
    zookeeper("checks", SIZE, |size| made(&check, size / 25));
    let create_and_delete = |size: usize| {
        let both = (0..size / 90).flat_map(|_| {
            let delete = MultiOp::Delete(Delete { path: path(), version: -1 });
            [MultiOp::Create(create("/x".to_owned(), 0)), delete]
        });
        vec![Request::Multi(both.collect())]
    };
    zookeeper("creates and deletes", SIZE, create_and_delete);
}

#[test]
fn reads_of_a_large_znode_cost_what_they_are() {
    zookeeper("reads of one znode", SIZE, |size| {
        let mut large = create("/x".to_owned(), 0);
        large.data = Some(vec![7; 900_000].into());
        let read = MultiRead::GetData { path: "/x".into(), watch: false };
        vec![Request::Create(large), Request::MultiRead(vec![read; size / 15])]
    });
}

#[test]
fn watches_cost_what_they_are() {
    let many = |size: usize, each: &dyn Fn(usize) -> String| {
        let paths: Vec<_> = (0..size / 40).map(|number| each(number).into()).collect();
        let watches = SetWatches {
            relative_zxid: Zxid(0),
            data: paths.clone(),
            exist: paths.clone(),
            child: paths,
            persistent: None,
        };
        // Again: they are there already.
        vec![Request::SetWatches(watches.clone()), Request::SetWatches(watches)]
    };
    zookeeper("watches of one znode", SIZE, |size| many(size, &|_| "/x".to_owned()));
    zookeeper("watches of many znodes", SIZE, |size| many(size, &|number| format!("/x{number}")));
    zookeeper("persistent watches", SIZE / 4, |size| {
        let add = |number: usize| Request::AddWatch {
            path: format!("/x{number}").into(),
            mode: AddWatchMode::PersistentRecursive,
        };
        let rest = [Request::Create(create("/y".to_owned(), 0)), Request::CloseSession];
        (0..size / 25).map(add).chain(rest).collect()
    });
    zookeeper("watches that are taken away", SIZE / 4, |size| {
        (0..size / 50)
            .flat_map(|number| {
                let path: std::sync::Arc<str> = format!("/x{number}").into();
                let watcher = WatcherType::Any;
                [
                    Request::Exists { path: path.clone(), watch: true },
                    Request::RemoveWatches { path, watcher },
                ]
            })
            .collect()
    });
}

#[test]
fn a_deep_path_costs_what_it_is() {
    let deep = |size: usize| -> std::sync::Arc<str> { "/a".repeat(size / 2).into() };
    zookeeper("a deep path", SIZE, |size| {
        let path = deep(size / 4);
        vec![
            Request::AddWatch { path: path.clone(), mode: AddWatchMode::PersistentRecursive },
            Request::Exists { path: path.clone(), watch: true },
            Request::Create(create(path.to_string(), 0)),
            Request::GetEphemerals { prefix: path },
        ]
    });
}

#[test]
fn the_ephemerals_of_a_session_cost_what_they_are() {
    zookeeper("ephemerals", SIZE / 4, |size| {
        let of = |number| Request::Create(create(format!("/x{number}"), create_flags::EPHEMERAL));
        (0..size / 70).map(of).chain([Request::CloseSession]).collect()
    });
}
