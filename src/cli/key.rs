//! `rhaven key`: fresh keys, and changing the one that a store is under.

use super::Outcome;
use super::secret::confirmed;
use super::settings::Settings;
use super::tables::table;
use super::terminal::Terminal;
use crate::diagnose;
use crate::run::{Failure, FailureKind};
use crate::seal::{RootKey, SealError};
use crate::session::{KeyUse, SessionError, Sessions};

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
    /// Make a new key and seal everything of the store under it; runs may go on meanwhile
    #[command(after_help = "\
The key file keeps the old key behind the new one until `rhaven key retire`. A rotation that was interrupted is finished \
by calling it again. For RHAVEN_KEY and for passphrases put the new one in front of the old one yourself, and call it then. \
`rhaven docs keys` tells more.")]
    Rotate,
    /// The keys at hand, by id, and what of the store refers to each
    #[command(visible_alias = "ls")]
    List,
    /// Take an old key out of the key file, once nothing refers to it
    Retire {
        /// The key, by its id or the beginning of it
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Makes, changes, lists or retires.
pub(super) async fn execute(args: KeyArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    match args.command {
        KeyCommand::New => new(terminal),
        KeyCommand::Rotate => rotate(settings, terminal).await,
        KeyCommand::List => list(settings, terminal).await,
        KeyCommand::Retire { id, yes } => retire(&id, yes, settings, terminal).await,
    }
}

/// Prints a fresh key.
fn new(terminal: &Terminal) -> Outcome {
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

async fn open(settings: &Settings) -> Result<Sessions, Box<Failure>> {
    let sessions = Sessions::open(settings.store.clone(), settings.key.clone()).await;
    let sessions = sessions.map_err(|error| failure(&error))?;
    // What waits there may be under a key that is to be retired.
    sessions.use_outbox(settings.outbox());
    Ok(sessions)
}

fn failure(error: &SessionError) -> Box<Failure> {
    Box::new(diagnose::session_failure(error))
}

async fn rotate(settings: &Settings, terminal: &Terminal) -> Outcome {
    let rotated = open(settings).await?.rotate(&settings.tenant).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!(rotated));
    } else {
        let key = &rotated.key;
        let what = if rotated.new { "a new key" } else { "no new key: an earlier change of keys is finished" };
        terminal.note(&format!("{what}; {} object(s) sealed anew under {key}", rotated.resealed));
    }
    if rotated.left.is_empty() {
        return Ok(super::OK);
    }
    for reason in &rotated.left {
        terminal.say(&format!("left under an older key: {reason}"));
    }
    Ok(super::failed(FailureKind::Store))
}

async fn list(settings: &Settings, terminal: &Terminal) -> Outcome {
    let uses = open(settings).await?.key_uses().await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!(uses));
        return Ok(super::OK);
    }
    let rows = uses.iter().map(|key| {
        let counts = [key.sessions, key.documents, key.runs].map(|count| count.to_string());
        let [sessions, documents, runs] = counts;
        [key.id.clone(), role(key).to_owned(), sessions, documents, runs]
    });
    let headings = ["ID", "IS", "SESSIONS", "DOCUMENTS", "RUNS"];
    terminal.data(&table(headings, rows, terminal.out_style, terminal.out_tty));
    Ok(super::OK)
}

fn role(key: &KeyUse) -> &'static str {
    match (key.seals, key.given) {
        (true, _) => "seals",
        (false, true) => "opens",
        (false, false) => "not given",
    }
}

async fn retire(id: &str, yes: bool, settings: &Settings, terminal: &Terminal) -> Outcome {
    let sessions = open(settings).await?;
    // Asked before the question, so that nobody confirms what is refused.
    let key = sessions.older_key(id).await.map_err(|error| failure(&error))?;
    let question = format!(
        "take key {} out of {}? nothing in {} refers to it; another store, or a backup, that does could not be opened",
        key.id,
        settings.key.place(),
        settings.store.place()
    );
    if !yes && !confirmed(&question, &format!("retiring key {}", key.id), terminal)? {
        terminal.note("nothing was changed");
        return Ok(super::OK);
    }
    let id = sessions.retire(&key.id).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!({ "retired": id }));
    }
    terminal.note(&format!("key {id}: retired"));
    Ok(super::OK)
}
