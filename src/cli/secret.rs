//! `rhaven secret`: the vault. A value comes from the terminal, without echo, or from a pipe; never from an argument, which other
//! users of the machine could read.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use zeroize::Zeroizing;

use super::Outcome;
use super::error::CliError;
use super::settings::Settings;
use super::tables::{show_time, table};
use super::terminal::Terminal;
use super::typed::typed;
use crate::base::{Secret, closest};
use crate::diagnose;
use crate::run::{Failure, FailureKind};
use crate::session::{SessionError, Sessions, secret_name};

/// More than a secret may have, so that a longer one is refused and not cut.
const MOST_READ: u64 = 1 << 20;

/// Arguments of `secret`.
#[derive(Debug, clap::Args)]
pub(super) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SecretCommand {
    /// Keep a secret for secret("NAME") in scripts; its value is asked for, or read from a pipe
    #[command(after_help = "\
Examples:
  rhaven secret set ACME_PASSWORD
  pass show acme | rhaven secret set ACME_PASSWORD
  rhaven secret set DEPLOY_KEY < deploy.pem

One newline at the end of what comes from a pipe does not count. A value that is there already is replaced.")]
    Set {
        /// Its name
        #[arg(value_parser = secret_name)]
        name: String,
    },
    /// The names of the tenant's secrets, and when they were set; never their values
    #[command(visible_alias = "ls")]
    List,
    /// Delete a secret
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Sets, lists or deletes.
pub(super) async fn execute(args: SecretArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    match args.command {
        SecretCommand::Set { name } => set(&name, settings, terminal).await,
        SecretCommand::List => list(settings, terminal).await,
        SecretCommand::Delete { name, yes } => delete(&name, yes, settings, terminal).await,
    }
}

async fn open(settings: &Settings) -> Result<Sessions, Box<Failure>> {
    Sessions::open(settings.store.clone(), settings.key.clone()).await.map_err(|error| failure(&error))
}

fn failure(error: &SessionError) -> Box<Failure> {
    Box::new(diagnose::session_failure(error))
}

async fn set(name: &str, settings: &Settings, terminal: &Terminal) -> Outcome {
    // The store first: nobody types a value that could not be kept.
    let sessions = open(settings).await?;
    let Some(value) = value_of(name, terminal).await? else { return Ok(super::failed(FailureKind::Interrupted)) };
    let replaced = sessions.set_secret(&settings.tenant, name, &value).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!({ "name": name, "replaced": replaced }));
    }
    terminal.note(&format!("secret {name}: {}", if replaced { "replaced" } else { "set" }));
    Ok(super::OK)
}

async fn list(settings: &Settings, terminal: &Terminal) -> Outcome {
    let all = if settings.store.exists() {
        open(settings).await?.secrets(&settings.tenant).await.map_err(|error| failure(&error))?
    } else {
        Vec::new()
    };
    if terminal.json {
        terminal.value(&serde_json::json!(all));
    } else if all.is_empty() {
        terminal.note("no secrets yet; `rhaven secret set NAME` keeps one");
    } else {
        let rows = all.iter().map(|secret| [secret.name.clone(), show_time(&secret.set_at)]);
        terminal.data(&table(["NAME", "SET (UTC)"], rows, terminal.out_style, terminal.out_tty));
    }
    Ok(super::OK)
}

async fn delete(name: &str, yes: bool, settings: &Settings, terminal: &Terminal) -> Outcome {
    let sessions = open(settings).await?;
    let all = sessions.secrets(&settings.tenant).await.map_err(|error| failure(&error))?;
    if !all.iter().any(|secret| secret.name == name) {
        let mut failure = failure(&SessionError::NoSecret(name.to_owned()));
        failure.hint = Some(match closest(name, all.iter().map(|secret| secret.name.as_str())) {
            Some(near) => format!("did you mean {near}? `rhaven secret list` shows those that there are"),
            None => "`rhaven secret list` shows those that there are".to_owned(),
        });
        return Err(failure);
    }
    if !yes && !confirmed(&format!("delete secret {name}?"), &format!("deleting secret {name}"), terminal)? {
        terminal.note("nothing was deleted");
        return Ok(super::OK);
    }
    sessions.delete_secret(&settings.tenant, name).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!({ "deleted": name }));
    }
    terminal.note(&format!("secret {name}: deleted"));
    Ok(super::OK)
}

/// Asks `question` on the terminal; without one it is an error that says `what` needs `--yes`.
pub(super) fn confirmed(question: &str, what: &str, terminal: &Terminal) -> Result<bool, CliError> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(CliError::NotConfirmed { what: what.to_owned() });
    }
    terminal.say(&format!("{question} [y/N]"));
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The value, typed or piped; none where the user gave up.
async fn value_of(name: &str, terminal: &Terminal) -> Result<Option<Secret>, CliError> {
    let bad = |reason: &str| CliError::Value { what: format!("the value of {name}"), reason: reason.to_owned() };
    let bytes = if io::stdin().is_terminal() {
        let asks = format!("value of {name}, which is not shown; Enter ends it:");
        match typed(asks, terminal.clone()).await.map_err(|error| bad(&error.to_string()))? {
            Some(bytes) => bytes,
            None => return Ok(None),
        }
    } else {
        let mut bytes = Zeroizing::new(Vec::new());
        io::stdin().lock().take(MOST_READ).read_to_end(&mut bytes).map_err(|error| bad(&error.to_string()))?;
        let end = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).map_or(bytes.len(), <[u8]>::len);
        bytes.truncate(end);
        bytes
    };
    let text = str::from_utf8(&bytes).map_err(|_| bad("text in UTF-8 is wanted, found other bytes"))?;
    Ok(Some(Secret::new(name, text.to_owned())))
}
