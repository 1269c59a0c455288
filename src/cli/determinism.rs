//! `sim determinism`: the same run in two processes, compared line by line as it happens.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::chosen::Chosen;
use super::{Exit, Failure, Streams};
use crate::vocab::foreign::ForeignLines;

/// Run a scenario in two processes, and compare every event, the report and the exit code.
///
/// Both runs stop at the first line that differs, and both versions of it are printed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub chosen: Chosen,
}

/// A run in a process of its own. It ends with its owner.
struct Run {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Never written to; open as long as this process runs.
    _alive: ChildStdin,
}

impl Run {
    #[expect(clippy::disallowed_methods, reason = "two processes share less than two threads")]
    fn start(args: &Args, stderr: Stdio) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::Spawn)?;
        let mut command = Command::new(program);
        command.arg("run").arg(&args.chosen.scenario).args([
            "--events",
            "-",
            "--color",
            "never",
            "--no-report",
            "--until-stdin-ends",
        ]);
        if let Some(seed) = args.chosen.seed {
            command.args(["--seed", &seed.0.to_string()]);
        }
        if let Some(mutant) = args.chosen.mutant {
            command.args(["--mutant", mutant.name()]);
        }
        // The pipe to its stdin closes when this process ends, by whatever signal, and then it ends, too.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().map_err(Failure::Spawn)?;
        let alive = child.stdin.take().expect("its stdin is a pipe");
        let stdout = child.stdout.take().expect("its stdout is a pipe");
        let lines = BufReader::with_capacity(1 << 16, stdout).lines();
        Ok(Self { child, lines, _alive: alive })
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
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compares line by line until both end: how many lines were the same, or the first difference, in words.
fn compare<E>(
    mut first: impl FnMut() -> Result<Option<String>, E>,
    mut second: impl FnMut() -> Result<Option<String>, E>,
) -> Result<Result<u64, String>, E> {
    let mut same = 0;
    loop {
        let lines = (first()?, second()?);
        match &lines {
            (None, None) => return Ok(Ok(same)),
            (Some(first), Some(second)) if first == second => same += 1,
            (first, second) => {
                let shown = |line: &Option<String>| line.clone().unwrap_or("(ended)".into());
                return Ok(Err(format!(
                    "line {} differs\n  first   {}\n  second  {}",
                    same + 1,
                    shown(first),
                    shown(second)
                )));
            }
        }
    }
}

/// The result of two runs that printed the same, by their exit codes; a signal leaves none.
fn compare_codes(codes: [Option<i32>; 2]) -> Result<Exit, String> {
    if codes[0] != codes[1] {
        let shown = |code: Option<i32>| code.map_or("a signal".into(), |code| code.to_string());
        let [first, second] = codes.map(shown);
        return Err(format!("the first ended with {first}, the second with {second}"));
    }
    let Some(code) = codes[0] else { return Ok(Exit::Bug) };
    // Any outcome of a run can be compared; a wrong file or a bug cannot.
    let failed = [Exit::Usage, Exit::BadFile, Exit::Bug, Exit::Unwritten];
    let failure = failed.into_iter().find(|&exit| i32::from(exit as u8) == code);
    Ok(failure.unwrap_or(Exit::Held))
}

pub(super) fn determinism(args: &Args, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    // Both write the same errors; one of them is enough.
    let mut first = Run::start(args, Stdio::inherit())?;
    let mut second = Run::start(args, Stdio::null())?;
    let compared = match compare(|| first.next_line(), || second.next_line())? {
        Ok(same) => compare_codes([first.wait()?, second.wait()?]).map(|exit| (exit, same)),
        Err(difference) => Err(difference),
    };
    match compared {
        Ok((Exit::Held, same)) => {
            writeln!(streams.out, "deterministic: {same} lines are the same in both runs")?;
            Ok(Exit::Held)
        }
        Ok((failure, _)) => Ok(failure),
        Err(difference) => {
            writeln!(streams.out, "not deterministic: {}", ForeignLines(&difference))?;
            Ok(Exit::NotDeterministic)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn compared(first: &[&str], second: &[&str]) -> Result<u64, String> {
        let mut first = first.iter().map(|line| line.to_string());
        let mut second = second.iter().map(|line| line.to_string());
        let Ok(compared) = compare::<Infallible>(|| Ok(first.next()), || Ok(second.next()));
        compared
    }

    #[test]
    fn the_first_difference_is_shown_from_both_sides() {
        assert_eq!(compared(&["a", "b"], &["a", "b"]), Ok(2));
        let differs = "line 2 differs\n  first   b\n  second  c".to_owned();
        assert_eq!(compared(&["a", "b", "d"], &["a", "c", "d"]), Err(differs));
        let ended = "line 2 differs\n  first   (ended)\n  second  b".to_owned();
        assert_eq!(compared(&["a"], &["a", "b"]), Err(ended));
    }

    #[test]
    fn any_outcome_is_comparable_and_a_failure_is_passed_on() {
        for code in [0, 1, 3, 4] {
            assert_eq!(compare_codes([Some(code); 2]), Ok(Exit::Held));
        }
        assert_eq!(compare_codes([Some(6); 2]), Ok(Exit::BadFile));
        assert_eq!(compare_codes([Some(70); 2]), Ok(Exit::Bug));
        assert_eq!(compare_codes([None; 2]), Ok(Exit::Bug));
        let differs = "the first ended with 0, the second with a signal".to_owned();
        assert_eq!(compare_codes([Some(0), None]), Err(differs));
    }
}
