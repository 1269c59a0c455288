//! Which requests are writes.

use super::prepare::Write;
use crate::wire::zookeeper::{Code, Request, RequestError, op};

/// A request, by whether it needs a transaction.
pub(super) enum Kind {
    /// A write.
    Write(Write),
    /// A read, or something else that changes no znode.
    Other(Request),
}

/// Tells writes from other requests.
pub(super) fn kind_of(request: Request) -> Kind {
    Kind::Write(match request {
        Request::Create(create) => Write::Create(create),
        Request::Delete(delete) => Write::Delete(delete),
        Request::SetData(set) => Write::SetData(set),
        Request::SetAcl { path, acl, aversion } => Write::SetAcl { path, acl, aversion },
        Request::Multi(ops) => Write::Multi(ops),
        Request::CloseSession => Write::CloseSession,
        // Although it is refused, it takes a zxid.
        Request::Reconfig { .. } => Write::Refused(Code::RECONFIG_DISABLED),
        other => return Kind::Other(other),
    })
}

/// The write as which a request that does not decode is refused, in its turn and with a zxid of its own; `None`
/// when it is refused at once.
pub(super) fn refused_write(op: i32, error: RequestError) -> Option<Write> {
    let code = match (error, op) {
        (
            RequestError::Body(_),
            op::CREATE
            | op::CREATE2
            | op::CREATE_CONTAINER
            | op::CREATE_TTL
            | op::DELETE
            | op::SET_DATA
            | op::SET_ACL
            | op::MULTI,
        ) => Code::MARSHALLING_ERROR,
        // For the leader's own use. ZooKeeper reads the whole message as a path, and finds a NUL in it.
        (RequestError::UnknownOp(_), op::DELETE_CONTAINER) => Code::BAD_ARGUMENTS,
        _ => return None,
    };
    Some(Write::Refused(code))
}
