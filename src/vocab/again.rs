//! The command that gives a run again.

use super::foreign::shell_path;
use super::{Mutant, Seed};

/// `sim run scenarios/x.toml --seed 42`, for a shell.
pub fn run_command(scenario: &str, seed: Seed, mutant: Option<Mutant>) -> String {
    let mutant = mutant.map_or_else(String::new, |mutant| format!(" --mutant {mutant}"));
    format!("sim run {} --seed {}{mutant}", shell_path(scenario), seed.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word() {
        let mutant = Some(Mutant::EndTwice);
        assert_eq!(
            run_command("a b/x.toml", Seed(7), mutant),
            "sim run 'a b/x.toml' --seed 7 --mutant end-twice"
        );
    }
}
