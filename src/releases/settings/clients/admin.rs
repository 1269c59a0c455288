//! Settings of admin clients, which there are since 0.11.

use Allowed::{AtLeast, Between, OneOf};
use DefaultText::{Is, Required};
use Dynamic::Never;

use super::super::{ANY, AT_LEAST_0, Allowed, DefaultText, Dynamic, Setting, settings};
use crate::releases::first::{V0_11, V2_5, V2_7, V3_7};

settings! {
    ADMIN;
    "bootstrap.controllers": List, "", Never,
        &[(V3_7, Is(""))], ANY,
        "Controllers that are asked first for the cluster, with KRaft.";
    "bootstrap.servers": List, "", Never,
        &[(V0_11, Required), (V3_7, Is(""))], ANY,
        "Brokers that are asked first for the cluster.";
    "connections.max.idle.ms": Long, "", Never,
        &[(V0_11, Is("300000"))], ANY,
        "Time after which an idle connection is closed.";
    "default.api.timeout.ms": Int, "", Never,
        &[(V2_5, Is("60000"))], AT_LEAST_0,
        "Longest time of a call that is given no time of its own.";
    "metrics.recording.level": String, "", Never,
        &[(V0_11, Is("INFO"))],
        &[(V0_11, OneOf(&["INFO", "DEBUG"])), (V2_7, OneOf(&["INFO", "DEBUG", "TRACE"]))],
        "Which metrics are recorded.";
    "receive.buffer.bytes": Int, "", Never,
        &[(V0_11, Is("65536"))], &[(V0_11, AtLeast(-1))],
        "Receive buffer of a connection; -1 takes the system's.";
    "request.timeout.ms": Int, "", Never,
        &[(V0_11, Is("120000")), (V2_5, Is("30000"))], AT_LEAST_0,
        "Longest wait for the answer to a request.";
    "retries": Int, "", Never,
        &[(V0_11, Is("5")), (V2_5, Is("2147483647"))],
        &[(V0_11, AtLeast(0)), (V2_5, Between(0, 2_147_483_647))],
        "How often a request that failed for a passing reason is sent again.";
}
