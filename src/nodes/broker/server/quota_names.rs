//! The entities that quotas are of, and their names in paths (`Sanitizer`: as in URLs, but for blanks and asterisks).

use super::zk_requests::ALL_BROKERS;

/// A type of entity.
pub const USER: &str = "user";
/// A type of entity.
pub const CLIENT: &str = "client-id";
/// A type of entity (2.8+).
pub const IP: &str = "ip";

/// A name; `None` is the default of its type.
pub type Name = Option<String>;

/// Whose quota it is: at least one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// The user.
    pub user: Option<Name>,
    /// The client, of this user or of any.
    pub client: Option<Name>,
    /// The address.
    pub ip: Option<Name>,
}

impl Entity {
    /// Its path below `/config`.
    pub fn path(&self) -> String {
        match (&self.user, &self.client, &self.ip) {
            (Some(user), Some(client), _) => {
                format!("users/{}/clients/{}", sanitized(user), sanitized(client))
            }
            (Some(user), None, _) => format!("users/{}", sanitized(user)),
            (None, Some(client), _) => format!("clients/{}", sanitized(client)),
            (None, None, ip) => format!("ips/{}", sanitized(&ip.clone().flatten())),
        }
    }

    /// Its parts, as requests have them.
    pub fn parts(self) -> impl Iterator<Item = (&'static str, Name)> {
        let Self { user, client, ip } = self;
        let parts = [(USER, user), (CLIENT, client), (IP, ip)];
        parts.into_iter().filter_map(|(kind, name)| Some((kind, name?)))
    }
}

/// A name in a path.
pub fn sanitized(name: &Name) -> String {
    let Some(name) = name else { return ALL_BROKERS.to_owned() };
    let mut path = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                path.push(char::from(byte));
            }
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}

/// The name that a path has.
pub fn desanitized(path: &str) -> Name {
    if path == ALL_BROKERS {
        return None;
    }
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let coded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| byte == b'%');
        match coded {
            Some(coded) => {
                bytes.push(coded);
                rest = &after[2..];
            }
            None => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = after;
            }
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_in_paths_as_in_urls() {
        for (name, path) in
            [("cl", "cl"), ("a b*", "a%20b%2A"), ("CN=x,ö", "CN%3Dx%2C%C3%B6"), ("a/b", "a%2Fb")]
        {
            let name = Some(name.to_owned());
            assert_eq!(sanitized(&name), path);
            assert_eq!(desanitized(path), name);
        }
        assert_eq!((sanitized(&None), desanitized("<default>")), ("<default>".to_owned(), None));
        let both = Entity {
            user: Some(Some("us".to_owned())),
            client: Some(Some("cl".to_owned())),
            ip: None,
        };
        assert_eq!(both.path(), "users/us/clients/cl");
    }
}
