//! Bodies of requests, written by hand as `zk_vectors.py` does, so that a mistake in the codec of requests
//! cannot hide itself.

use kafka_sim::wire::jute::Writer;
use kafka_sim::wire::zookeeper::{op, xid};
use serde_json::Value;

/// An operation, the request's number when it is a special one, and the body.
pub type Encoded = (i32, Option<i32>, Writer);

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn number(value: &Value, default: i64) -> i64 {
    value.as_i64().unwrap_or(default)
}

/// As kazoo writes strings: the empty one is null.
pub fn string(to: &mut Writer, value: &str) {
    if value.is_empty() { to.int(-1) } else { to.string(value) }
}

fn strings(to: &mut Writer, values: &Value) {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    to.count(values.len());
    values.iter().for_each(|value| string(to, text(value)));
}

fn acl(to: &mut Writer, name: &str) {
    let world = ("world", "anyone");
    let bob = ("digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=");
    let list: &[(i32, (&str, &str))] = match name {
        "" | "open" => &[(31, world)],
        "read" => &[(1, world)],
        "creator" => &[(31, ("auth", ""))],
        "empty" => &[],
        "dig" => &[(31, bob)],
        "dig+read" => &[(31, bob), (1, world)],
        "badscheme" => &[(31, ("nosuch", "x"))],
        other => panic!("no list {other}"),
    };
    to.count(list.len());
    for (perms, (scheme, id)) in list {
        to.int(*perms);
        string(to, scheme);
        string(to, id);
    }
}

fn flags(mode: &str) -> i32 {
    match mode {
        "" | "persistent" => 0,
        "ephemeral" => 1,
        "seq" => 2,
        "eseq" => 3,
        "container" => 4,
        "ttl" => 5,
        "ttlseq" => 6,
        other => panic!("no mode {other}"),
    }
}

/// The body of a request, by hand.
pub fn encode(what: &str, args: &Value, mark: i64) -> Encoded {
    let mut to = Writer::new();
    let path = text(&args["path"]);
    let watch = args["watch"] == true;
    let version = number(&args["version"], -1) as i32;
    let (op, with_watch) = match what {
        "exists" => (op::EXISTS, true),
        "get" => (op::GET_DATA, true),
        "children" => (op::GET_CHILDREN, true),
        "children2" => (op::GET_CHILDREN2, true),
        "getacl" => (op::GET_ACL, false),
        "sync" => (op::SYNC, false),
        "allchildren" => (op::GET_ALL_CHILDREN_NUMBER, false),
        _ => return encode_other(what, args, mark, path, version),
    };
    string(&mut to, path);
    if with_watch {
        to.bool(watch);
    }
    (op, None, to)
}

fn encode_other(what: &str, args: &Value, mark: i64, path: &str, version: i32) -> Encoded {
    let mut to = Writer::new();
    match what {
        "create" => {
            let op = number(&args["op"], 1) as i32;
            string(&mut to, path);
            let data = text(&args["data"]).as_bytes();
            to.buffer(if args["nulldata"] == true { None } else { Some(data) });
            acl(&mut to, text(&args["acl"]));
            to.int(
                args["flags"]
                    .as_i64()
                    .map_or_else(|| flags(text(&args["mode"])), |flags| flags as i32),
            );
            if op == op::CREATE_TTL {
                to.long(args["ttl"].as_i64().expect("a ttl"));
            }
            (op, None, to)
        }
        "delete" => {
            string(&mut to, path);
            to.int(version);
            (op::DELETE, None, to)
        }
        "set" => {
            string(&mut to, path);
            to.buffer(Some(text(&args["data"]).as_bytes()));
            to.int(version);
            (op::SET_DATA, None, to)
        }
        "setacl" => {
            string(&mut to, path);
            acl(&mut to, text(&args["acl"]));
            to.int(version);
            (op::SET_ACL, None, to)
        }
        "multi" | "multiread" => encode_multi(what, args),
        "ping" => (op::PING, Some(xid::PING), to),
        "close" => (op::CLOSE_SESSION, None, to),
        "whoami" => (op::WHO_AM_I, None, to),
        "unknown_op" => (number(&args["code"], 0) as i32, None, to),
        "short_body" => {
            to.raw(&[0, 0]);
            (op::GET_DATA, None, to)
        }
        "auth" => {
            to.int(0);
            string(&mut to, args["scheme"].as_str().unwrap_or("digest"));
            to.string(args["cred"].as_str().unwrap_or("bob:pw"));
            (op::AUTH, Some(xid::AUTH), to)
        }
        _ => encode_watches(what, args, mark, path),
    }
}

fn encode_watches(what: &str, args: &Value, mark: i64, path: &str) -> Encoded {
    let mut to = Writer::new();
    match what {
        "ephemerals" => {
            string(&mut to, text(&args["prefix"]));
            (op::GET_EPHEMERALS, None, to)
        }
        "addwatch" => {
            string(&mut to, path);
            to.int(number(&args["mode"], 0) as i32);
            (op::ADD_WATCH, None, to)
        }
        "setwatches" => {
            to.long(args["rel"].as_str().map_or(mark, |rel| rel.parse().expect("a zxid")));
            ["data", "exist", "child"].iter().for_each(|field| strings(&mut to, &args[field]));
            if args["pers"].is_null() {
                return (op::SET_WATCHES, Some(xid::SET_WATCHES), to);
            }
            strings(&mut to, &args["pers"]);
            strings(&mut to, &args["rec"]);
            (op::SET_WATCHES2, Some(xid::SET_WATCHES), to)
        }
        "removewatch" | "checkwatch" => {
            string(&mut to, path);
            to.int(number(&args["type"], 0) as i32);
            let op = if what == "checkwatch" { op::CHECK_WATCHES } else { op::REMOVE_WATCHES };
            (op, None, to)
        }
        other => panic!("no step {other}"),
    }
}

fn encode_multi(what: &str, args: &Value) -> Encoded {
    let mut to = Writer::new();
    for item in args["ops"].as_array().expect("ops") {
        let op = match text(&item[0]) {
            "create" => op::CREATE,
            "create2" => op::CREATE2,
            "container" => op::CREATE_CONTAINER,
            "delete" => op::DELETE,
            "set" => op::SET_DATA,
            "check" => op::CHECK,
            "get" => op::GET_DATA,
            "children" => op::GET_CHILDREN,
            other => panic!("no operation {other}"),
        };
        to.int(op);
        to.bool(false);
        to.int(-1);
        string(&mut to, text(&item[1]));
        match op {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => {
                to.string(text(&item[2]));
                acl(&mut to, "open");
                to.int(flags(text(&item[3])));
            }
            op::SET_DATA => {
                to.string(text(&item[2]));
                to.int(number(&item[3], -1) as i32);
            }
            op::DELETE | op::CHECK => to.int(number(&item[2], -1) as i32),
            _ => to.bool(false),
        }
    }
    to.int(-1);
    to.bool(true);
    to.int(-1);
    (if what == "multi" { op::MULTI } else { op::MULTI_READ }, None, to)
}
