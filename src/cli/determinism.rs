//! `sim determinism`: the same run in two processes, compared line by line as it happens.

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{Exit, Failure, Streams};
use crate::vocab::Seed;

/// Run a scenario in two processes and compare every event, the report and the exit code.
///
/// At the first difference both runs are stopped and both lines are shown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario to run.
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// Draw everything that is left to chance from SEED, not from the scenario's own.
    #[arg(long, value_parser = super::seed)]
    pub seed: Option<Seed>,
}

/// A run in a process of its own. It ends with its owner.
struct Run {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Run {
    #[expect(clippy::disallowed_methods, reason = "two processes share less than two threads")]
    fn start(args: &Args, stderr: Stdio) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::Spawn)?;
        let mut command = Command::new(program);
        command.arg("run").arg(&args.scenario).args(["--events", "-", "--color", "never"]);
        if let Some(seed) = args.seed {
            command.args(["--seed", &seed.0.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().map_err(Failure::Spawn)?;
        let stdout = child.stdout.take().expect("its stdout is a pipe");
        Ok(Self { child, lines: BufReader::with_capacity(1 << 16, stdout).lines() })
    }

    fn next_line(&mut self) -> Result<Option<String>, Failure> {
        self.lines.next().transpose().map_err(Failure::Spawn)
    }

    /// Its exit code; `None` when a signal ended it.
    fn wait(&mut self) -> Result<Option<i32>, Failure> {
        Ok(self.child.wait().map_err(Failure::Spawn)?.code())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Both fail only when the process has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn determinism(args: &Args, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    // Both write the same errors; one of them is enough.
    let mut first = Run::start(args, Stdio::inherit())?;
    let mut second = Run::start(args, Stdio::null())?;
    let mut compared = 0u64;
    loop {
        let lines = [first.next_line()?, second.next_line()?];
        if lines[0] != lines[1] {
            writeln!(streams.out, "not deterministic: line {} differs", compared + 1)?;
            for (run, line) in ["first ", "second"].into_iter().zip(&lines) {
                let line = line.as_deref().unwrap_or("(it has ended)");
                writeln!(streams.out, "  {run}  {line}")?;
            }
            return Ok(Exit::NotDeterministic);
        }
        if lines[0].is_none() {
            break;
        }
        compared += 1;
    }
    let codes = [first.wait()?, second.wait()?];
    if codes[0] != codes[1] {
        let [first, second] = codes.map(|code| code.map_or("a signal".into(), |c| c.to_string()));
        writeln!(
            streams.out,
            "not deterministic: one ended with {first}, the other with {second}"
        )?;
        return Ok(Exit::NotDeterministic);
    }
    // A run that came to any outcome is comparable; a file or a build that is wrong is not.
    let failed = [Exit::Usage, Exit::BadFile, Exit::Bug];
    if let Some(&exit) = failed.iter().find(|&&exit| codes[0] == Some(i32::from(exit as u8))) {
        return Ok(exit);
    }
    if codes[0].is_none() {
        return Ok(Exit::Bug);
    }
    writeln!(streams.out, "deterministic: {compared} lines are the same in both runs")?;
    Ok(Exit::Held)
}
