//! One request to a ZooKeeper server, as `zkCli.sh` sends it.

use std::time::Duration;

use bytes::Bytes;

use super::rig::{Advance, Rig};
use crate::vocab::{ConnId, NodeId, Zxid};
use crate::wire::frames::Frames;
use crate::wire::jute::Reader;
use crate::wire::zookeeper::{Code, ConnectRequest, MAX_FRAME, Reply, ReplyHeader, Request};

impl Rig {
    /// Sends a request of a peer in a session of its own, and waits for the reply.
    pub fn zk_call(
        &mut self,
        from: NodeId,
        server: NodeId,
        request: &Request,
    ) -> Result<Reply, Code> {
        let conn = self.connect(from, server);
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout_ms: 10_000,
            session: 0,
            password: None,
            read_only: None,
        };
        self.send(from, conn, hello.encode());
        self.await_zk_frame(from, conn);
        self.send(from, conn, request.encode(1));
        let mut reply = Reader::new(self.await_zk_frame(from, conn));
        self.hang_up(from, conn);
        let header = ReplyHeader::decode(&mut reply).expect("a header");
        if header.code == Code::OK {
            Ok(Reply::decode(request.op(), &mut reply).expect("a reply"))
        } else {
            Err(header.code)
        }
    }

    fn await_zk_frame(&mut self, at: NodeId, conn: ConnId) -> Bytes {
        let mut frames = Frames::new(MAX_FRAME);
        self.run_until(Duration::from_secs(5), |rig| !rig.arrived(at, conn).is_empty());
        frames.push(self.take(at, conn));
        frames.pop().expect("a frame").expect("the server answers in one piece")
    }
}
