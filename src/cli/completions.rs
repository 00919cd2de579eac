//! `rhaven completions`: what a shell has to know to complete our command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Cli;
use super::terminal::Terminal;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven completions bash > ~/.local/share/bash-completion/completions/rhaven
  rhaven completions zsh > ~/.zfunc/_rhaven            with ~/.zfunc in fpath, before compinit
  rhaven completions fish > ~/.config/fish/completions/rhaven.fish
  rhaven completions powershell >> $PROFILE")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for the shell; the exit code.
pub(super) fn execute(args: &CompletionsArgs, terminal: &Terminal) -> u8 {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rhaven", &mut text);
    terminal.data(String::from_utf8_lossy(&text).trim_end());
    super::OK
}
