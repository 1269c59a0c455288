//! Paths of znodes: absolute, without a slash at the end.

use std::sync::Arc;

/// The znode that everything is below.
pub const ROOT: &str = "/";
/// Where ZooKeeper keeps things of its own.
pub const SYSTEM: &str = "/zookeeper";
/// Znodes that are always there and cannot be deleted.
pub const SPECIAL: [&str; 4] = [ROOT, SYSTEM, "/zookeeper/config", "/zookeeper/quota"];

/// The path of the parent; of the root it is the root, as in ZooKeeper.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => ROOT,
        Some(slash) => &path[..slash],
    }
}

/// The name below the parent.
pub fn name(path: &str) -> &str {
    path.rfind('/').map_or(path, |slash| &path[slash + 1..])
}

/// The path of the znode called `name` below `path`.
pub fn child(path: &str, name: &str) -> Arc<str> {
    if path == ROOT { format!("/{name}").into() } else { format!("{path}/{name}").into() }
}

/// The number that a sequential znode gets behind its name: at least 10 digits, a minus counted.
pub fn sequential(path: &str, creates: i32) -> Arc<str> {
    format!("{path}{creates:010}").into()
}

/// Whether a znode may have this path (`PathUtils.validatePath`).
pub fn is_valid(path: &str) -> bool {
    if path == ROOT {
        return true;
    }
    let Some(relative) = path.strip_prefix('/') else { return false };
    let element = |name: &str| !name.is_empty() && name != "." && name != ".." && allowed(name);
    relative.split('/').all(element)
}

/// Java counts in UTF-16, where everything beyond the basic plane is a pair of surrogates, all refused.
fn allowed(name: &str) -> bool {
    name.chars().all(|c| {
        let refused = matches!(
            u32::from(c),
            0..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..=0xffff | 0x1_0000..
        );
        !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_no_znode_can_have() {
        for path in ["", "a", "/a/", "//", "/a//b", "/.", "/a/..", "/a/./b", "/\u{1}", "/\u{1f600}"]
        {
            assert!(!is_valid(path), "{path:?}");
        }
        for path in ["/", "/a", "/a/b.c", "/...", "/h\u{e9}\u{4e2d}"] {
            assert!(is_valid(path), "{path:?}");
        }
    }

    #[test]
    fn parents_and_names() {
        for (path, above, below) in
            [("/", "/", ""), ("/a", "/", "a"), ("/a/b", "/a", "b"), ("/a/", "/a", "")]
        {
            assert_eq!((parent(path), name(path)), (above, below));
        }
    }

    #[test]
    fn sequence_numbers_have_ten_digits_and_may_be_negative() {
        assert_eq!(&*sequential("/q-", 3), "/q-0000000003");
        assert_eq!(&*sequential("/q-", i32::MIN), "/q--2147483648");
    }
}
