//! Floor 8: the command line: arguments, configuration, terminal output; one file per subcommand. The only module that
//! reads the environment and writes to the terminal. Knows no Chromium and no Rhai: it makes jobs and shows reports.

mod args;
mod attach;
mod browser;
mod check;
mod completions;
mod config;
mod docs;
mod doctor;
mod environment;
mod error;
mod events;
mod hand_over;
mod identity;
mod install;
mod interrupt;
mod job;
mod key;
mod keys;
mod live_page;
mod logs;
mod man;
mod new;
mod passphrase;
mod practice;
mod private;
mod repl;
mod run;
mod screen;
mod secret;
mod secrets;
mod serve;
mod serving;
mod session;
mod settings;
mod store;
mod tables;
mod terminal;
mod token;
mod told;
mod typed;
mod watch;

use std::ffi::OsString;

use clap::Parser as _;

use args::{Cli, Command};
use environment::Environment;
use settings::Settings;
use terminal::Terminal;

use crate::diagnose;
use crate::run::Failure;

/// What a subcommand answers: the exit code, or why it could not do its work.
type Outcome = Result<u8, Box<Failure>>;

/// A command line that could be read.
pub struct Invocation {
    cli: Cli,
    environment: Environment,
}

/// Reads the command line. `Err` is the exit code where nothing is left to do: help, version, or a usage error, which
/// have been shown.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, u8> {
    match Cli::try_parse_from(args) {
        Ok(cli) => Ok(Invocation { cli, environment: Environment::of_process() }),
        Err(error) => {
            // Nobody reads: nothing to be done about it.
            let _ = error.print();
            Err(u8::from(error.use_stderr()))
        }
    }
}

/// Says that the async runtime could not be built; the exit code.
pub fn no_runtime(error: &std::io::Error) -> u8 {
    Terminal::plain().say(&format!("error[runtime]: the system gave no threads: {error}"));
    1
}

impl Invocation {
    /// Does what the command line asks for; the exit code.
    pub async fn execute(self) -> u8 {
        let settings = match Settings::resolve(&self.cli.global, &self.environment) {
            Ok(settings) => settings,
            Err(error) => return Terminal::new(&self.cli.global, &self.environment, None).fail(&Failure::from(error)),
        };
        let terminal = Terminal::new(&self.cli.global, &self.environment, settings.color);
        // Boxed: the futures of commands are large, and one lives on the main thread's stack.
        match Box::pin(dispatch(self.cli.command, &settings, &self.environment, &terminal)).await {
            Ok(code) => code,
            Err(failure) => terminal.fail(&failure),
        }
    }
}

async fn dispatch(command: Command, settings: &Settings, environment: &Environment, terminal: &Terminal) -> Outcome {
    match command {
        Command::Run(args) => Box::pin(run::execute(args, settings, environment, terminal)).await,
        Command::Watch(args) => Box::pin(watch::execute(args, settings, environment, terminal)).await,
        Command::Repl(args) => Box::pin(repl::execute(args, settings, environment, terminal)).await,
        Command::Check(args) => check::execute(&args, settings, environment, terminal).await,
        Command::New(args) => new::execute(&args, environment, terminal),
        Command::Practice(args) => practice::execute(&args, terminal).await,
        Command::Session(args) => Box::pin(session::execute(args, settings, environment, terminal)).await,
        Command::Browser(args) => browser::execute(&args, settings, terminal).await,
        Command::Doctor => doctor::execute(settings, terminal).await,
        Command::Serve(args) => Box::pin(serve::execute(*args, settings, environment, terminal)).await,
        Command::Docs(args) => docs::execute(&args, terminal),
        Command::Key(args) => key::execute(args, settings, terminal).await,
        Command::Identity(args) => identity::execute(args, settings, terminal).await,
        Command::Store(args) => Box::pin(store::execute(args, settings, terminal)).await,
        Command::Token(args) => token::execute(args, settings, terminal).await,
        Command::Secret(args) => secret::execute(args, settings, terminal).await,
        Command::Completions(args) => Ok(completions::execute(&args, terminal)),
        Command::Man(args) => man::execute(&args, environment, terminal),
    }
}

/// The exit code of a command that did its work.
const OK: u8 = 0;

/// The exit code for a failure that was shown as part of the command's output.
fn failed(kind: crate::run::FailureKind) -> u8 {
    diagnose::exit_code(kind)
}
