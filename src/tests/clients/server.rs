//! A cluster that `sim serve` serves.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use super::programs::sim;

/// A process of `sim serve`, on free ports, with what comes recorded.
pub struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    scenario: PathBuf,
    record: PathBuf,
    /// `b1`, `127.0.0.1:40123` and so on.
    addresses: Vec<(String, String)>,
}

/// How a served run ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub exit: Option<i32>,
    /// Its report.
    pub report: String,
    scenario: PathBuf,
    record: PathBuf,
}

/// The seed of all served runs.
const SEED: &str = "42";

impl Server {
    /// Serves `scenario`, and waits until the cluster is ready.
    pub fn start(scenario: &Path, arguments: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let record = folder.join(format!("clients-{}-{number}", std::process::id()));
        let mut command = sim();
        command.args(["serve", "--seed", SEED, "--port", "0", "--keep-running"]);
        command.args(arguments).arg("--record").arg(&record).arg(scenario);
        command.stdout(std::process::Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut addresses = Vec::new();
        loop {
            let mut line = String::new();
            let length = stdout.read_line(&mut line).expect("text");
            assert!(length > 0, "it ended before it was ready");
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["ready"] => break,
                [_, server, address] => addresses.push((server.to_owned(), address.to_owned())),
                _ => panic!("{line}"),
            }
        }
        Self { process, stdout, scenario: scenario.to_owned(), record, addresses }
    }

    /// Where a server listens: `127.0.0.1:40123`.
    pub fn address(&self, server: &str) -> &str {
        let found = self.addresses.iter().find(|(name, _)| name == server);
        &found.expect("it was announced").1
    }

    /// Every server and where it listens, in the order in which they were announced.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, &str)> {
        self.addresses.iter().map(|(name, address)| (&**name, &**address))
    }

    /// Ends it as Ctrl-C does.
    pub fn end(mut self) -> Ended {
        let process = self.process.id().to_string();
        let interrupted = Command::new("kill").args(["-INT", &process]).status();
        assert!(interrupted.is_ok_and(|status| status.success()), "it still runs");
        let mut report = String::new();
        self.stdout.read_to_string(&mut report).expect("text");
        let exit = self.process.wait().expect("it ends").code();
        let (scenario, record) = (self.scenario.clone(), self.record.clone());
        Ended { exit, report, scenario, record }
    }
}

/// A test that fails leaves no cluster behind.
impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _: std::io::Result<()> = self.process.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.process.wait();
    }
}

impl Ended {
    fn fingerprint(report: &str) -> &str {
        let after = report.split("fingerprint").nth(1).expect("a report has a fingerprint");
        let digits =
            after.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| !word.is_empty());
        digits.expect("a fingerprint has digits")
    }

    /// The run held, and its recording, played twice, gives the same run.
    pub fn held_and_can_be_had_again(self) {
        assert_eq!(self.exit, Some(0), "{}", self.report);
        self.can_be_had_again();
    }

    /// Its recording, played twice, gives the same run.
    pub fn can_be_had_again(self) {
        for _ in 0..2 {
            let mut command = sim();
            command.arg("run").arg(&self.scenario).args(["--seed", SEED, "--inbound"]);
            let said = command.arg(&self.record).output().expect("it starts");
            let again = String::from_utf8(said.stdout).expect("text");
            let (once, twice) = (Self::fingerprint(&self.report), Self::fingerprint(&again));
            assert_eq!(once, twice, "{}\n{again}", self.report);
        }
        std::fs::remove_file(&self.record).expect("the recording was written");
    }
}
