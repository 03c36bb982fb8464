//! `tidemark-bench completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CommandError};
use crate::console;

pub(super) const HELP: &str = "\
Examples:
  source <(tidemark-bench completions bash)                       for this shell
  tidemark-bench completions zsh > ~/.zfunc/_tidemark-bench       for every one, with ~/.zfunc in fpath
  tidemark-bench completions fish > ~/.config/fish/completions/tidemark-bench.fish";

/// Flags of `tidemark-bench completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell that is to complete
    pub shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<ExitCode, CommandError> {
    console::write(String::from_utf8_lossy(&script(args.shell)));
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for command in Cli::command().get_subcommands() {
                let name = command.get_name();
                assert!(script.contains(name), "{shell}: {name}");
            }
            assert!(script.contains("base-url"), "{shell}: flags too");
        }
    }
}
