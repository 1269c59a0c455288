//! Requests of ZooKeeper's clients: any bytes are decoded, or refused, without more memory than they explain.

use std::sync::Arc;

use bytes::Bytes;
use kafka_sim::vocab::Zxid;
use kafka_sim::wire::frames::Frames;
use kafka_sim::wire::jute::Reader;
use kafka_sim::wire::zookeeper::{
    Acl, AddWatchMode, ConnectRequest, Create, Delete, MAX_FRAME, MultiOp, MultiRead,
    PersistentWatches, Request, RequestHeader, SetData, SetWatches, VersionCheck, WatcherType,
    create_flags, op,
};

use super::ALLOCATOR;
use super::driver::Target;

/// Bytes that a frame may allocate whatever its size, and for each of its bytes: an empty string takes four bytes
/// in the frame, and forty in memory, in a vector that doubles.
const MEMORY: usize = 16 << 10;
const MEMORY_PER_BYTE: usize = 100;

fn path() -> Arc<str> {
    "/brokers/ids/1".into()
}

fn paths() -> Vec<Arc<str>> {
    vec![path(), "/".into()]
}

fn creates() -> Vec<Create> {
    let data = Some(Bytes::from_static(b"data"));
    [op::CREATE, op::CREATE2, op::CREATE_CONTAINER, op::CREATE_TTL]
        .map(|op| Create {
            op,
            path: path(),
            data: data.clone(),
            acl: Acl::open(),
            flags: create_flags::EPHEMERAL_SEQUENTIAL,
            ttl_ms: 1_000,
        })
        .into()
}

/// One of each operation at least.
fn requests() -> Vec<Request> {
    let (path, watch, version) = (path(), true, -1);
    let set = SetData { path: path.clone(), data: Some(Bytes::from_static(b"data")), version };
    let delete = Delete { path: path.clone(), version };
    let check = VersionCheck { path: path.clone(), version };
    let watches = SetWatches {
        relative_zxid: Zxid(7),
        data: paths(),
        exist: paths(),
        child: paths(),
        persistent: None,
    };
    let persistent = Some(PersistentWatches { single: paths(), recursive: paths() });
    let multi = creates().into_iter().map(MultiOp::Create).chain([
        MultiOp::Delete(delete.clone()),
        MultiOp::SetData(set.clone()),
        MultiOp::Check(check.clone()),
    ]);
    let reads = vec![
        MultiRead::GetData { path: path.clone(), watch },
        MultiRead::GetChildren { path: path.clone(), watch },
    ];
    let (watcher, mode) = (WatcherType::Any, AddWatchMode::Persistent);
    let others = [
        Request::Delete(delete),
        Request::Exists { path: path.clone(), watch },
        Request::GetData { path: path.clone(), watch },
        Request::SetData(set),
        Request::GetAcl { path: path.clone() },
        Request::SetAcl { path: path.clone(), acl: Acl::open(), aversion: version },
        Request::GetChildren { path: path.clone(), watch },
        Request::GetChildren2 { path: path.clone(), watch },
        Request::Sync { path: path.clone() },
        Request::Ping,
        Request::Check(check),
        Request::Multi(multi.collect()),
        Request::MultiRead(reads),
        Request::Reconfig {
            joining: "server.1=z1".into(),
            leaving: "2".into(),
            members: "".into(),
            config: -1,
        },
        Request::CheckWatches { path: path.clone(), watcher },
        Request::RemoveWatches { path: path.clone(), watcher },
        Request::Auth { scheme: "digest".into(), credentials: Some(Bytes::from_static(b"a:b")) },
        Request::SetWatches(watches.clone()),
        Request::SetWatches(SetWatches { persistent, ..watches }),
        Request::Sasl { token: Some(Bytes::from_static(b"token")) },
        Request::GetEphemerals { prefix: path.clone() },
        Request::GetAllChildrenNumber { path: path.clone() },
        Request::AddWatch { path, mode },
        Request::WhoAmI,
        Request::CloseSession,
    ];
    creates().into_iter().map(Request::Create).chain(others).collect()
}

/// Frames with their lengths.
fn frames() -> Vec<Vec<u8>> {
    let hello = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(7),
        timeout_ms: 10_000,
        session: 0,
        password: Some(Bytes::from_static(&[0; 16])),
        read_only: Some(false),
    };
    let requests = requests();
    let all = (1..).zip(&requests).map(|(xid, request)| request.encode(xid));
    [hello.encode()].into_iter().chain(all).map(|frame| frame.to_vec()).collect()
}

/// Reads a payload as a server does.
fn request(payload: Bytes) -> bool {
    let mut from = Reader::new(payload);
    RequestHeader::decode(&mut from).is_ok_and(|header| Request::decode(header, &mut from).is_ok())
}

/// Reads a stream as a server does, and looks at what that allocates. How many frames are right.
fn read(stream: &[u8]) -> usize {
    let bytes = Bytes::copy_from_slice(stream);
    let before = ALLOCATOR.total_allocated();
    let (mut frames, mut right) = (Frames::new(MAX_FRAME), 0);
    frames.push(bytes);
    while let Ok(Some(payload)) = frames.pop() {
        let is_hello = ConnectRequest::decode(payload.clone()).is_ok();
        right += usize::from(request(payload) || is_hello);
    }
    let used = ALLOCATOR.total_allocated() - before;
    let most = MEMORY + MEMORY_PER_BYTE * stream.len();
    assert!(used <= most, "{stream:02x?} allocates {used} bytes, more than {most}");
    right
}

#[test]
fn any_frame_is_decoded_or_refused() {
    let target = Target {
        name: "zookeeper_frames",
        memory: 2 * MEMORY,
        memory_per_byte: MEMORY_PER_BYTE + 10,
    };
    let frames = frames();
    let whole = frames.concat();
    target.run([frames, vec![whole]].concat(), |stream| _ = read(stream));
}

#[test]
fn every_frame_is_cut_at_each_byte_and_changed_at_each_place() {
    const EDGES: [i32; 8] = [0, 1, -1, -2, 0x7f, 0xff, i16::MAX as i32, i32::MAX];
    let target = Target { name: "zookeeper_edges", memory: usize::MAX >> 1, memory_per_byte: 0 };
    target.each(&mut frames().into_iter(), |frame| {
        assert_eq!(read(frame), 1, "an honest request is refused: {frame:02x?}");
        for end in 0..frame.len() {
            assert_eq!(read(&frame[..end]), 0, "cut to {end} bytes: {frame:02x?}");
            // Cut, and said to be whole.
            if let Some(length) = u32::try_from(end).ok().and_then(|end| end.checked_sub(4)) {
                let mut cut = frame[..end].to_vec();
                cut[..4].copy_from_slice(&length.to_be_bytes());
                read(&cut);
            }
        }
        for at in 0..frame.len() {
            for (edge, size) in EDGES.iter().flat_map(|edge| [(edge, 1), (edge, 2), (edge, 4)]) {
                let mut changed = frame.to_vec();
                let end = changed.len().min(at + size);
                changed.splice(at..end, edge.to_be_bytes()[4 - size..].iter().copied());
                read(&changed);
            }
        }
    });
}
