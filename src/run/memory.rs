//! How many runs the machine's memory holds at once.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use super::Jobs;
use crate::scenario::{self, Scenario};

/// What a run takes by itself, in bytes; 26 MiB were measured with next to nothing in it.
const ALONE: u64 = 32 << 20;

/// What a run of `scenario` may take, in bytes.
pub fn estimate(scenario: &Scenario) -> u64 {
    ALONE.saturating_add(scenario::memory(scenario))
}

/// Fewer jobs than were asked for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} at a time instead of {asked}: one may take {} MiB, and {} MiB of memory are free",
    jobs.0, per_run >> 20, free >> 20
)]
pub struct Fewer {
    /// How many were asked for.
    pub asked: NonZeroUsize,
    /// How many memory allows, at least one.
    pub jobs: Jobs,
    /// What a run may take, in bytes.
    pub per_run: u64,
    /// What is free, in bytes.
    pub free: u64,
}

impl Jobs {
    /// As many of these as the machine's memory holds, when each may run `scenario`.
    ///
    /// # Errors
    /// [`Fewer`] when these are too many.
    pub fn within_memory(self, scenario: &Scenario) -> Result<Self, Fewer> {
        match free() {
            Some(free) => self.within(estimate(scenario), free),
            None => Ok(self),
        }
    }

    fn within(self, per_run: u64, free: u64) -> Result<Self, Fewer> {
        let most = usize::try_from(free / per_run).unwrap_or(usize::MAX);
        let most = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        match self.0 <= most {
            true => Ok(self),
            false => Err(Fewer { asked: self.0, jobs: Self(most), per_run, free }),
        }
    }
}

/// Memory that is free, in bytes: the machine's, or what is left of a limit of this process's group (Linux's cgroups,
/// version 2). `None` where the system does not say.
fn free() -> Option<u64> {
    let machine = read("/proc/meminfo").and_then(|text| available(&text));
    let own = read("/proc/self/cgroup");
    let own =
        own.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("0::/")));
    let group = own.and_then(|own| left(&Path::new("/sys/fs/cgroup").join(own)));
    // In a container the group is often at the root.
    let group = group.or_else(|| left(Path::new("/sys/fs/cgroup")));
    machine.into_iter().chain(group).min()
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the kernel says of memory, beside any simulation"
)]
fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}

/// What a group may still take, in bytes; `None` without a limit.
fn left(group: &Path) -> Option<u64> {
    let number = |file: &str| read(group.join(file))?.trim().parse::<u64>().ok();
    let (most, taken) = (number("memory.max")?, number("memory.current")?);
    let stat = read(group.join("memory.stat")).unwrap_or_default();
    // Pages of files that the kernel would drop first.
    let dropped = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    let dropped: u64 = dropped.and_then(|text| text.parse().ok()).unwrap_or(0);
    Some(most.saturating_sub(taken.saturating_sub(dropped)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(jobs: usize) -> Jobs {
        Jobs(NonZeroUsize::new(jobs).expect("some jobs"))
    }

    #[test]
    fn memory_bounds_the_jobs() {
        const GIB: u64 = 1 << 30;
        assert_eq!(jobs(8).within(GIB, 8 * GIB), Ok(jobs(8)));
        let fewer = jobs(8).within(2 * GIB, 7 * GIB).expect_err("too many");
        assert_eq!(fewer.jobs, jobs(3));
        let text =
            "3 at a time instead of 8: one may take 2048 MiB, and 7168 MiB of memory are free";
        assert_eq!(fewer.to_string(), text);
        assert_eq!(jobs(8).within(9 * GIB, GIB).expect_err("too many").jobs, jobs(1));
        assert_eq!(jobs(1).within(9 * GIB, GIB), Ok(jobs(1)));
    }

    #[test]
    fn what_a_run_may_take_grows_with_the_cluster_and_its_load() {
        let of = |rest: &str| {
            let text =
                format!("kafka = \"2.8\"\nduration = \"10s\"\n[cluster]\nbrokers = 3\n{rest}");
            let scenario =
                scenario::parse("x.toml", &text).unwrap_or_else(|wrong| panic!("{wrong}"));
            estimate(&scenario)
        };
        let topic = |count: u32| format!("[[topic]]\nname = \"t\"\npartitions = {count}\n");
        let producers = |count: u32, rate: u32| {
            format!(
                "{}[[producer]]\nname = \"p\"\ncount = {count}\ntopic = \"t\"\n\
                 rate = \"{rate}/s\"\n",
                topic(1)
            )
        };
        let few = of("");
        assert!((ALONE..ALONE + (4 << 20)).contains(&few), "{few}");
        for more in [topic(1_000), producers(200, 1), producers(1, 100_000)] {
            assert!(of(&more) > few + (10 << 20), "{more}");
        }
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        let text = "MemTotal:       24 kB\nMemFree:    1 kB\nMemAvailable:   12 kB\n";
        assert_eq!(available(text), Some(12 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(left(folder.path()), None);
        let write = |name: &str, text: &str| {
            crate::run::files::write_whole(&folder.path().join(name), text.as_bytes())
                .expect("room");
        };
        write("memory.current", "700\n");
        write("memory.max", "max\n");
        assert_eq!(left(folder.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(left(folder.path()), Some(300));
        write("memory.stat", "anon 5\ninactive_file 600\n");
        assert_eq!(left(folder.path()), Some(900));
    }
}
