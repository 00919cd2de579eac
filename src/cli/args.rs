//! The command line's grammar: global flags and the list of subcommands, whose own flags stand in their files.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::base::{IdError, SessionId};

const EXAMPLES: &str = "\
Examples:
  rhaven practice                              a site to try things on, at http://127.0.0.1:7410
  rhaven new orders                            a script to begin with, which runs on that site
  rhaven check orders.rhai                     finds mistakes without a browser
  rhaven run orders.rhai --session acme        run a script; the session is restored and saved
  rhaven run orders.rhai --headed --slow-mo 250ms
  rhaven watch orders.rhai                     run it again at every change
  rhaven repl --session acme                   try things out, keep what worked
  rhaven session show acme                     what is kept, by name
  rhaven session open acme --live              sign in by hand, where there is no display too
  rhaven serve --scripts ./scripts             all of it over HTTP
  rhaven docs click                            how a function of the script surface works

Settings come from flags, RHAVEN_* variables, rhaven.toml here or above, and the user's configuration folder, \
in this order. Exit codes: 0 ok, 1 usage or configuration, 2 script does not parse, 3 script failed, \
4 not signed in any more, 5 store or key trouble, 130 interrupted.";

/// Scripts drive real Chromium; what a site remembers of you is kept, encrypted, between runs.
#[derive(Debug, Parser)]
#[command(name = "rhaven", version, after_help = EXAMPLES, propagate_version = false, infer_long_args = false)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every subcommand takes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    #[arg(long, help = "Whose sessions [default: default] [env: RHAVEN_TENANT]", global = true, value_name = "NAME")]
    pub tenant: Option<String>,
    #[arg(
        long,
        help = "Where sessions are kept: a folder, redis://.., rediss://.., or memory: for nowhere [env: RHAVEN_STORE]",
        global = true,
        value_name = "PLACE"
    )]
    pub store: Option<String>,
    #[arg(
        long,
        help = "Where their large values are: a folder, or s3://BUCKET/PREFIX [default: the store's] [env: RHAVEN_BLOBS]",
        global = true,
        value_name = "PLACE"
    )]
    pub blobs: Option<String>,
    #[arg(
        long,
        help = "The folder of the store, the key and downloaded browsers [env: RHAVEN_HOME]",
        global = true,
        value_name = "FOLDER"
    )]
    pub home: Option<PathBuf>,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", value_enum)]
    pub color: Option<ColorWhen>,
    /// Nothing on stderr but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// More on stderr: each verb, every change by name
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// One JSON document on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

/// When to colour: `auto` is on a terminal, unless `NO_COLOR` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a script
    Run(super::run::RunArgs),
    /// Run a script again whenever it changes, in one browser
    Watch(super::watch::WatchArgs),
    /// Try things out: type a line, see what it does, keep what worked
    Repl(super::repl::ReplArgs),
    /// Serve scripts, pages and sessions over HTTP
    Serve(Box<super::serve::ServeArgs>),
    /// Write a script to begin with
    New(super::new::NewArgs),
    /// Look for mistakes in scripts without a browser
    Check(super::check::CheckArgs),
    /// List, show, compare, roll back, copy, export, import, check or delete sessions
    Session(super::session::SessionArgs),
    /// Find or install Chromium
    Browser(super::browser::BrowserArgs),
    /// Check browser, store, key and machine, and say what to do about what is wrong
    Doctor,
    /// The functions that scripts can call
    Docs(super::docs::DocsArgs),
    /// Keep what sessions tell sites: device, language, time zone, by name
    Identity(super::identity::IdentityArgs),
    /// Keep secrets for scripts, encrypted
    Secret(super::secret::SecretArgs),
    /// Make, list and revoke tokens of the HTTP endpoint
    Token(super::token::TokenArgs),
    /// Where sessions are kept and how much that is; copy everything to another store
    Store(super::store::StoreArgs),
    /// Make, change and list keys
    Key(super::key::KeyArgs),
    /// Serve the practice site that examples and tests use
    Practice(super::practice::PracticeArgs),
    /// Completions for a shell
    Completions(super::completions::CompletionsArgs),
    /// The manual pages
    Man(super::man::ManArgs),
}

/// The value of a flag that names a session.
pub(super) fn session_id(text: &str) -> Result<SessionId, IdError> {
    SessionId::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
