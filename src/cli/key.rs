//! `rhaven key`: fresh keys.

use super::Outcome;
use super::terminal::Terminal;
use crate::diagnose;
use crate::seal::{RootKey, SealError};

/// Arguments of `key`.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeyCommand {
    /// Print a fresh key on stdout: 32 random bytes in base64
    #[command(after_help = "\
Examples:
  (umask 077; rhaven key new > rhaven.key); RHAVEN_KEY_FILE=rhaven.key rhaven run a.rhai --session a
  export RHAVEN_KEY=$(rhaven key new)

Without either, rhaven makes a key on first use and keeps it in your configuration folder. Whoever has the key can \
open the sessions; without it nobody can.")]
    New,
}

/// Prints a fresh key.
pub(super) fn execute(args: &KeyArgs, terminal: &Terminal) -> Outcome {
    let KeyCommand::New = args.command;
    let failure = |error: SealError| Box::new(diagnose::usage_failure(error.code(), error.to_string(), None));
    let key = RootKey::generate().map_err(failure)?;
    let text = key.to_text();
    if terminal.json {
        terminal.value(&serde_json::json!({ "key": text.as_str() }));
    } else {
        terminal.data(&text);
    }
    Ok(super::OK)
}
