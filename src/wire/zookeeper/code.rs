//! Error codes of replies.

use std::fmt;

/// What a reply's header says about the request (`KeeperException.Code`); 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(pub i32);

macro_rules! codes {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// ZooKeeper's name for the code; `Unknown` when it has none here.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($number => $name,)*
                    _ => "Unknown",
                }
            }
        }
    };
}

codes! {
    /// Success.
    OK = 0, "Ok";
    /// An error of the server itself.
    SYSTEM_ERROR = -1, "SystemError";
    /// In a failed multi: an operation behind the one that failed.
    RUNTIME_INCONSISTENCY = -2, "RuntimeInconsistency";
    /// Made by the client: the connection broke, and whether the request took effect is unknown.
    CONNECTION_LOSS = -4, "ConnectionLoss";
    /// The request's body could not be decoded.
    MARSHALLING_ERROR = -5, "MarshallingError";
    /// The operation does not exist or is switched off.
    UNIMPLEMENTED = -6, "Unimplemented";
    /// A path, flag or number that is not allowed.
    BAD_ARGUMENTS = -8, "BadArguments";
    /// The znode, or the parent of the one to be created, does not exist.
    NO_NODE = -101, "NoNode";
    /// The access control list does not allow it.
    NO_AUTH = -102, "NoAuth";
    /// The expected version is not the version.
    BAD_VERSION = -103, "BadVersion";
    /// Ephemeral znodes have no children.
    NO_CHILDREN_FOR_EPHEMERALS = -108, "NoChildrenForEphemerals";
    /// The znode exists.
    NODE_EXISTS = -110, "NodeExists";
    /// The znode has children.
    NOT_EMPTY = -111, "NotEmpty";
    /// The session is gone, and its ephemeral znodes with it.
    SESSION_EXPIRED = -112, "SessionExpired";
    /// The access control list is not well-formed.
    INVALID_ACL = -114, "InvalidACL";
    /// The credentials were refused.
    AUTH_FAILED = -115, "AuthFailed";
    /// The session lives at another server now.
    SESSION_MOVED = -118, "SessionMoved";
    /// A write at a server that is cut off from the ensemble.
    NOT_READ_ONLY = -119, "NotReadOnly";
    /// An ephemeral znode of a local session.
    EPHEMERAL_ON_LOCAL_SESSION = -120, "EphemeralOnLocalSession";
    /// No such watch is set.
    NO_WATCHER = -121, "NoWatcher";
    /// The request took too long.
    REQUEST_TIMEOUT = -122, "RequestTimeout";
    /// Reconfiguration is switched off.
    RECONFIG_DISABLED = -123, "ReconfigDisabled";
    /// A quota is used up.
    QUOTA_EXCEEDED = -125, "QuotaExceeded";
    /// The server has too much to do.
    THROTTLED = -127, "ThrottledOp";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}
