//! Access control lists, and the schemes `world`, `auth`, `digest` and `ip`.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::vocab::NodeId;
use crate::wire::zookeeper::{Acl, Identity};

/// As what a connection is known to the lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuthId {
    /// `digest` or `ip`.
    pub scheme: Arc<str>,
    /// `user:hash`, or an address.
    pub id: Arc<str>,
}

impl AuthId {
    /// What every connection is: its peer's address, here made of the node's number.
    pub fn of_peer(peer: NodeId) -> Self {
        let [high, low] = peer.0.to_be_bytes();
        Self { scheme: "ip".into(), id: format!("10.0.{high}.{low}").into() }
    }

    /// What a client on the server's own machine is.
    pub fn loopback() -> Self {
        Self { scheme: "ip".into(), id: "127.0.0.1".into() }
    }

    /// What proves itself with `user:password` (`DigestAuthenticationProvider`).
    pub fn of_digest(credentials: &str) -> Self {
        let user = credentials.split(':').next().unwrap_or_default();
        let hash = STANDARD.encode(Sha1::digest(credentials));
        Self { scheme: "digest".into(), id: format!("{user}:{hash}").into() }
    }

    /// As whoAmI answers: the user without the hash.
    pub fn identity(&self) -> Identity {
        let user = if &*self.scheme == "digest" { user_of(&self.id) } else { &*self.id };
        Identity { scheme: self.scheme.clone(), user: user.into() }
    }
}

fn user_of(id: &str) -> &str {
    id.split(':').next().unwrap_or_default()
}

/// Whether one of `ids` has a bit of `perms`.
pub fn allows(acl: &[Acl], perms: i32, ids: &[AuthId]) -> bool {
    acl.iter().filter(|entry| entry.perms & perms != 0).any(|entry| {
        let world = &*entry.scheme == "world" && &*entry.id == "anyone";
        world || ids.iter().any(|id| id.scheme == entry.scheme && is(entry, id))
    })
}

fn is(entry: &Acl, id: &AuthId) -> bool {
    match &*entry.scheme {
        "ip" => in_network(&entry.id, &id.id),
        _ => entry.id == id.id,
    }
}

fn in_network(network: &str, address: &str) -> bool {
    let Some((network, bits)) = parse_network(network) else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let host_bits = 32 - bits.min(32);
            let prefix = |ip: u32| ip.checked_shr(host_bits).unwrap_or(0);
            prefix(network.to_bits()) == prefix(address.to_bits())
        }
        (network, address) => network == address,
    }
}

fn parse_network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok()?),
        None => (text, 128),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most || !text.contains('/')).then_some((address, bits))
}

/// The list as it is stored: `auth` is replaced by the connection's own ids, double entries are dropped. `None`
/// when the list is not well-formed.
pub fn fix_up(acl: &[Acl], ids: &[AuthId]) -> Option<Vec<Acl>> {
    let mut fixed: Vec<Acl> = Vec::with_capacity(acl.len());
    let mut add = |entry: Acl| {
        if !fixed.contains(&entry) {
            fixed.push(entry);
        }
    };
    for entry in acl {
        let well_formed = match &*entry.scheme {
            "world" => &*entry.id == "anyone",
            "digest" => entry.id.split(':').count() == 2,
            "ip" => parse_network(&entry.id).is_some(),
            "auth" => {
                // The address is not something that a client proved.
                let mut proven = ids.iter().filter(|id| &*id.scheme != "ip").peekable();
                proven.peek()?;
                proven.for_each(|id| {
                    let (scheme, id) = (id.scheme.clone(), id.id.clone());
                    add(Acl { perms: entry.perms, scheme, id });
                });
                continue;
            }
            _ => false,
        };
        if !well_formed {
            return None;
        }
        add(entry.clone());
    }
    if fixed.is_empty() { None } else { Some(fixed) }
}

/// The list for clients that may not set it: without the hashes.
pub fn masked(acl: &[Acl]) -> Vec<Acl> {
    let mask = |entry: &Acl| match &*entry.scheme {
        "digest" => Acl { id: format!("{}:x", user_of(&entry.id)).into(), ..entry.clone() },
        _ => entry.clone(),
    };
    acl.iter().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(perms: i32, scheme: &str, id: &str) -> Acl {
        Acl { perms, scheme: scheme.into(), id: id.into() }
    }

    #[test]
    fn a_digest_is_what_zookeeper_makes_of_it() {
        let bob = AuthId::of_digest("bob:pw");
        assert_eq!(&*bob.id, "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=");
        assert_eq!(&*bob.identity().user, "bob");
    }

    #[test]
    fn lists_that_are_not_well_formed() {
        let bob = [AuthId::of_digest("bob:pw"), AuthId::of_peer(NodeId(1))];
        assert_eq!(fix_up(&[], &bob), None);
        assert_eq!(fix_up(&[entry(31, "nosuch", "x")], &bob), None);
        assert_eq!(fix_up(&[entry(31, "world", "me")], &bob), None);
        assert_eq!(fix_up(&[entry(31, "ip", "10.0.0.1/33")], &bob), None);
        assert_eq!(fix_up(&[entry(31, "auth", "")], &bob[1..]), None);
        let own = fix_up(&[entry(3, "auth", ""), entry(3, "digest", &bob[0].id)], &bob).unwrap();
        assert_eq!(own, [entry(3, "digest", &bob[0].id)]);
    }

    #[test]
    fn networks_hold_the_addresses_below_them() {
        let peer = [AuthId::of_peer(NodeId(0x0102))];
        for (network, inside) in
            [("10.0.1.2", true), ("10.0.1.0/24", true), ("0.0.0.0/0", true), ("10.0.2.0/24", false)]
        {
            assert_eq!(allows(&[entry(1, "ip", network)], 1, &peer), inside, "{network}");
        }
        assert!(!allows(&[entry(2, "world", "anyone")], Acl::READ, &peer));
    }
}
