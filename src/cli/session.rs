//! `rhaven session`: what is kept, by name and count; never values.

mod audit;
mod directory;
mod left;
mod open;
mod portable;
mod refound;
mod rows;
mod versions;

use std::io::{BufRead as _, IsTerminal as _};

use super::Outcome;
use super::args::session_id;
use super::environment::Environment;
use super::error::CliError;
use super::settings::Settings;
use super::tables::{show_bytes, show_time, table};
use super::terminal::Terminal;
use crate::base::{SessionId, Version, closest};
use crate::diagnose::{self, Tone};
use crate::run::Failure;
use crate::session::{Listing, OriginInfo, ProfileInfo, Saved, SessionError, SessionInfo, Sessions};

/// Arguments of `session`.
#[derive(Debug, clap::Args)]
pub(super) struct SessionArgs {
    #[command(subcommand)]
    command: SessionCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SessionCommand {
    /// All sessions of the tenant
    #[command(visible_alias = "ls")]
    List,
    /// Open a session in a window, to sign in by hand; what is there when the window is closed is saved
    #[command(after_help = open::EXAMPLES)]
    Open(open::OpenArgs),
    /// What one session holds: cookies, storage and versions by name, never a value
    Show {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
    },
    /// The kept versions, newest first, and what each changed
    History {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
    },
    /// What differs between two versions, by name: the newest two, or A and the newest, or A and B
    Diff {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
        /// The version to compare with
        #[arg(value_parser = versions::version, value_name = "A")]
        from: Option<Version>,
        /// The version that is told of
        #[arg(value_parser = versions::version, value_name = "B")]
        to: Option<Version>,
    },
    /// Make an old version's content the newest again, as a version of its own: nothing is lost
    Rollback {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
        /// The version to go back to
        #[arg(value_parser = versions::version)]
        version: Version,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Copy a session to a new one, which has a life of its own from there on
    Fork {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
        /// The new session
        #[arg(value_parser = session_id, value_name = "NEW")]
        new_id: SessionId,
        /// Another version than the newest
        #[arg(long, value_parser = versions::version, value_name = "VERSION")]
        at: Option<Version>,
    },
    /// Keep a version however many come after it
    Pin {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
        /// The version
        #[arg(value_parser = versions::version)]
        version: Version,
    },
    /// Let a pinned version go
    Unpin {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
        /// The version
        #[arg(value_parser = versions::version)]
        version: Version,
    },
    /// Write a session to a file: for another machine, for Playwright, for curl
    Export(portable::ExportArgs),
    /// Make a session from a file that rhaven, Playwright, curl or a browser's extension wrote, or from a browser's profile
    Import(portable::ImportArgs),
    /// Open every kept version with all that belongs to it, and tell what is damaged; nothing is changed
    #[command(after_help = "Ends with 5 where something is damaged.")]
    Check {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
    },
    /// Make a version of what runs left that ended without saving, and say what it changed; the next run would do the same.
    /// Without ID: found a store again whose Redis has lost its data, from what lies beside the blobs in S3
    Recover {
        /// The session
        #[arg(value_parser = session_id)]
        id: Option<SessionId>,
        /// Drop it instead
        #[arg(long, requires = "id")]
        discard: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Delete one session with all its versions; its key goes first, so that nothing can open what was copied
    #[command(visible_alias = "rm")]
    Delete {
        /// The session
        #[arg(value_parser = session_id)]
        id: SessionId,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Where a command works.
struct Place<'a> {
    sessions: &'a Sessions,
    settings: &'a Settings,
    environment: &'a Environment,
    terminal: &'a Terminal,
}

/// Runs one of the commands above.
pub(super) async fn execute(
    args: SessionArgs,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Outcome {
    if let SessionCommand::Open(args) = args.command {
        return Box::pin(open::execute(args, settings, environment, terminal)).await;
    }
    if let SessionCommand::Recover { id: None, .. } = args.command {
        return refound::recover(settings, terminal).await;
    }
    let reaping = tokio::task::spawn_blocking(crate::browser::reap);
    let sessions = Sessions::open(settings.store.clone(), settings.key.clone()).await.map_err(|e| failure(&e))?;
    sessions.use_outbox(settings.outbox());
    let place = Place { sessions: &sessions, settings, environment, terminal };
    let mut code = super::OK;
    match args.command {
        SessionCommand::History { id } => versions::history(&place, &id).await?,
        SessionCommand::Diff { id, from, to } => versions::diff(&place, &id, from, to).await?,
        SessionCommand::Rollback { id, version, yes } => versions::rollback(&place, &id, version, yes).await?,
        SessionCommand::Fork { id, new_id, at } => versions::fork(&place, &id, &new_id, at).await?,
        SessionCommand::Pin { id, version } => versions::pin(&place, &id, version, true).await?,
        SessionCommand::Unpin { id, version } => versions::pin(&place, &id, version, false).await?,
        SessionCommand::Open(_) | SessionCommand::Recover { id: None, .. } => {}
        SessionCommand::Recover { id: Some(id), discard, yes } => {
            Box::pin(left::recover(&place, &id, discard, yes)).await?;
        }
        SessionCommand::List => list(&sessions, settings, terminal).await?,
        SessionCommand::Show { id } => show(&sessions, &id, settings, terminal).await?,
        SessionCommand::Export(args) => code = portable::export(&place, &args).await?,
        SessionCommand::Import(args) => code = Box::pin(portable::import(&place, &args)).await?,
        SessionCommand::Check { id } => code = audit::check(&place, &id).await?,
        SessionCommand::Delete { id, yes } => delete(&sessions, &id, yes, settings, terminal).await?,
    }
    // Nothing to do about it where it failed: it is tried again at the next start.
    let _ = reaping.await;
    Ok(code)
}

fn failure(error: &SessionError) -> Box<Failure> {
    let mut failure = diagnose::session_failure(error);
    if failure.code == "session_busy" {
        // The general way out is a script's.
        failure.hint = Some("wait for the run that holds it, or end that run".to_owned());
    }
    Box::new(failure)
}

async fn list(sessions: &Sessions, settings: &Settings, terminal: &Terminal) -> Result<(), Box<Failure>> {
    let Listing { sessions: all, damaged, unsaved } =
        sessions.list(&settings.tenant).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!(all));
    } else if all.is_empty() && damaged.is_empty() && unsaved == 0 {
        terminal.note("no sessions yet; `rhaven run FILE --session ID` makes one");
    } else {
        terminal.data(&rows::list(&all, terminal));
    }
    if let Some(unsaved) = rows::unsaved(unsaved) {
        terminal.note(&unsaved);
    }
    if let Some(waiting) = left::waiting(sessions, settings) {
        terminal.note(&waiting);
    }
    // The good ones are shown first; the exit code tells of the others.
    damaged.first().map_or(Ok(()), |error| Err(failure(error)))
}

fn origins(count: usize) -> String {
    format!("{count} origin{}", if count == 1 { "" } else { "s" })
}

fn expiry(at: Option<&str>) -> String {
    at.map_or_else(|| "never".to_owned(), show_time)
}

async fn show(
    sessions: &Sessions,
    id: &SessionId,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<(), Box<Failure>> {
    let session = match sessions.show(&settings.tenant, id).await {
        Ok(session) => session,
        Err(error) => {
            let mut failure = with_near(&error, sessions, settings).await;
            let left = sessions.left(&settings.tenant, id).await.unwrap_or_default();
            if matches!(error, SessionError::NotFound(_)) && !left.is_empty() {
                failure.hint = Some(format!("a run left changes and saved nothing: `rhaven session recover {id}`"));
            }
            return Err(failure);
        }
    };
    if terminal.json {
        terminal.value(&serde_json::json!(session));
    } else {
        terminal.data(&describe(&session, terminal));
    }
    Ok(())
}

fn describe(session: &SessionInfo, terminal: &Terminal) -> String {
    let (style, is_terminal) = (terminal.out_style, terminal.out_tty);
    let heading = |text: &str| format!("\n{}", style.paint(Tone::Strong, text));
    let mut lines = vec![
        format!("session {}", style.paint(Tone::Strong, session.id.as_str())),
        format!("version   {}, saved {}", session.version, show_time(&session.saved_at)),
        format!("expires   {}", expiry(session.expires_at.as_deref())),
        format!("storage   {}", storage_line(session)),
        format!("in use by {}", session.held_by.as_deref().unwrap_or("nobody")),
    ];
    lines.extend(session.profile.as_ref().map(|profile| format!("profile   {}", profile_line(profile))));
    if !session.left.is_empty() {
        lines.push(heading("not a version yet"));
        lines.extend(session.left.iter().map(left::describe));
        lines.push("the next run takes it up, or `rhaven session recover` does; --discard drops it".to_owned());
    }
    if let Some(identity) = &session.identity {
        lines.push(heading("identity"));
        lines.push(super::identity::describe(identity));
    }
    if !session.cookies.is_empty() {
        let rows = session.cookies.iter().map(|cookie| {
            let expires = cookie.expires.as_deref().map_or_else(|| "with the browser".to_owned(), show_time);
            [cookie.name.clone(), cookie.domain.clone(), expires]
        });
        lines.push(heading("cookies"));
        lines.push(table(["NAME", "DOMAIN", "EXPIRES"], rows, style, is_terminal));
    }
    if !session.origins.is_empty() {
        let rows = session.origins.iter().map(|origin| {
            let databases = origin.indexed_db.iter().map(|store| format!("{} ({})", store.name, store.records));
            [
                origin.storage_key.clone(),
                dash(origin.local_storage.join(", ")),
                dash(databases.collect::<Vec<_>>().join(", ")),
                show_bytes(origin.bytes),
            ]
        });
        lines.push(heading("storage"));
        lines.push(table(["ORIGIN", "LOCALSTORAGE", "INDEXEDDB (RECORDS)", "SIZE"], rows, style, is_terminal));
    }
    lines.extend(other_storage(session).map(|rows| {
        let head = ["ORIGIN", "SESSIONSTORAGE", "CACHES (ENTRIES)", "FILES", "SERVICE WORKERS"];
        format!("{}\n{}", heading("more storage"), table(head, rows, style, is_terminal))
    }));
    if !session.tabs.is_empty() {
        lines.push(heading("open tabs"));
        lines.extend(session.tabs.iter().cloned());
    }
    if !session.partial.is_empty() {
        let rows = session.partial.iter().map(|lost| {
            let key = lost.key.clone().unwrap_or_else(|| "-".to_owned());
            [lost.origin.clone(), lost.store.clone(), key, lost.reason.clone()]
        });
        lines.push(heading("not kept"));
        lines.push(table(["ORIGIN", "STORE", "KEY", "WHY"], rows, style, is_terminal));
    }
    let rows = session.versions.iter().map(|kept| {
        let pinned = if kept.pinned { "yes" } else { "-" };
        [kept.version.to_string(), show_time(&kept.saved_at), pinned.to_owned()]
    });
    lines.push(heading("versions"));
    lines.push(table(["VERSION", "SAVED (UTC)", "PINNED"], rows, style, is_terminal));
    lines.join("\n")
}

fn storage_line(session: &SessionInfo) -> String {
    if session.profile.as_ref().is_some_and(|profile| profile.unread) {
        return "not known yet: the profile was imported, and the first run reads it".to_owned();
    }
    format!("{} of {}", show_bytes(session.bytes), origins(session.origins.len()))
}

fn profile_line(profile: &ProfileInfo) -> String {
    let Some(chromium) = &profile.chromium else { return "nothing of it is saved yet".to_owned() };
    let kept = format!("{} in {} files, of Chromium {chromium}", show_bytes(profile.bytes), profile.files);
    match profile.saved {
        Saved::Full => kept,
        Saved::State | Saved::None => format!("{kept}; older than this version, whose state is laid over it"),
    }
}

/// What origins keep beside localStorage and IndexedDB; none where no origin does.
fn other_storage(session: &SessionInfo) -> Option<Vec<[String; 5]>> {
    let row = |origin: &OriginInfo| {
        let caches = origin.caches.iter().map(|cache| format!("{} ({})", cache.name, cache.records));
        [
            origin.storage_key.clone(),
            dash(origin.session_storage.join(", ")),
            dash(caches.collect::<Vec<_>>().join(", ")),
            dash(origin.files.join(", ")),
            dash(origin.service_workers.join(", ")),
        ]
    };
    let rows: Vec<_> = session.origins.iter().map(row).filter(|row| row[1..].iter().any(|cell| cell != "-")).collect();
    (!rows.is_empty()).then_some(rows)
}

fn dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

async fn delete(
    sessions: &Sessions,
    id: &SessionId,
    yes: bool,
    settings: &Settings,
    terminal: &Terminal,
) -> Result<(), Box<Failure>> {
    // Asked before the question, so that nobody confirms the deletion of nothing.
    let shown = sessions.show(&settings.tenant, id).await;
    let id = match &shown {
        Err(error @ SessionError::NotFound(_)) => return Err(with_near(error, sessions, settings).await),
        // Whatever it was called: this is what goes.
        Ok(session) => &session.id,
        Err(_) => id,
    };
    let question = format!("delete session {id} with all its versions? [y/N]");
    if !yes && !confirmed(&question, &format!("deleting session {id}"), terminal)? {
        terminal.note("nothing was deleted");
        return Ok(());
    }
    sessions.delete(&settings.tenant, id).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&serde_json::json!({ "deleted": id }));
    }
    terminal.note(&format!("session {id}: deleted"));
    Ok(())
}

fn confirmed(question: &str, what: &str, terminal: &Terminal) -> Result<bool, CliError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(CliError::NotConfirmed { what: what.to_owned() });
    }
    terminal.say(question);
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// An error, and where the id is not known, those near to it.
async fn with_near(error: &SessionError, sessions: &Sessions, settings: &Settings) -> Box<Failure> {
    let mut failure = failure(error);
    if let SessionError::NotFound(id) = error {
        let all = sessions.list(&settings.tenant).await.unwrap_or_default();
        if let Some(near) = closest(id.as_str(), all.sessions.iter().map(|session| session.id.as_str())) {
            failure.hint = Some(format!("did you mean {near}? `rhaven session list` shows those that there are"));
        }
    }
    failure
}
