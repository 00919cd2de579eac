//! `rhaven session import ID DIR`: the user-data directory of a Chrome or Chromium as a new profile session.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::portable::{ImportArgs, ImportFormat, unless_interrupted};
use super::{Place, failure};
use crate::base::SessionId;
use crate::cli::error::CliError;
use crate::cli::interrupt::INTERRUPTED;
use crate::cli::tables::show_bytes;
use crate::cli::terminal::Terminal;
use crate::cli::{self, Outcome};
use crate::run::{Failure, FailureKind};
use crate::session::{ImportedProfile, Progress, SessionError, Transfer};

/// How long an import goes on in silence, and how often it is told of from then on.
const AGAIN: Duration = Duration::from_secs(3);

/// Makes a profile session of a directory; the exit code.
pub(super) async fn import(place: &Place<'_>, args: &ImportArgs) -> Outcome {
    let Place { sessions, settings, environment, terminal } = *place;
    let dir = environment.working_folder.join(&args.file);
    may_read(args, &dir)?;
    let progress = progress(&args.id, terminal);
    let work = sessions.import_profile(&settings.tenant, &args.id, &dir, settings.profile_ttl, &progress);
    // What was written before an interrupt has no key any more, and is swept by a later run.
    let Some(imported) = unless_interrupted(Box::pin(work)).await else { return Ok(INTERRUPTED) };
    let imported = imported.map_err(|error| told(&error, &dir))?;
    tell(&args.id, &imported, terminal);
    Ok(cli::OK)
}

/// Refuses what no directory can be.
fn may_read(args: &ImportArgs, dir: &Path) -> Result<(), CliError> {
    let refused = |what: &str, reason: String| Err(CliError::Value { what: what.to_owned(), reason });
    if !dir.is_dir() {
        let path = args.file.display();
        return refused("--format profile", format!("a user-data directory was wanted, and {path} is none"));
    }
    if args.format.is_some_and(|format| format != ImportFormat::Profile) {
        let path = args.file.display();
        return refused("--format", format!("a file was wanted, and {path} is a directory; a directory is a profile"));
    }
    if args.replace {
        let reason =
            "a profile is only imported as a new session: give another id, or `rhaven session delete` the old one";
        return refused("--replace", reason.to_owned());
    }
    Ok(())
}

/// Tells of an import that takes long.
fn progress(id: &SessionId, terminal: &Terminal) -> Progress {
    let (id, terminal, due) = (id.clone(), terminal.clone(), Mutex::new(Instant::now() + AGAIN));
    Progress::new(move |now: Transfer| {
        let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= *due && now.done < now.total {
            *due = Instant::now() + AGAIN;
            let (done, total) = (show_bytes(now.done), show_bytes(now.total));
            terminal.note(&format!("session {id}: importing its profile, {done} of {total}"));
        }
    })
}

fn tell(id: &SessionId, imported: &ImportedProfile, terminal: &Terminal) {
    let ImportedProfile { version, chromium, files, bytes } = imported;
    if terminal.json {
        terminal.value(&serde_json::json!({
            "session": id, "version": version, "replaced": null, "format": "profile",
            "chromium": chromium, "files": files, "bytes": bytes,
        }));
        return;
    }
    let size = show_bytes(*bytes);
    terminal.note(&format!("session {id} {version}: {files} files, {size}, of Chromium {chromium} imported (profile)"));
}

/// A failure with the way out that fits a directory.
fn told(error: &SessionError, dir: &Path) -> Box<Failure> {
    let mut failure = failure(error);
    if matches!(error, SessionError::ProfileDirty { .. } | SessionError::ProfileKeyring { .. }) {
        // The store has no part in it.
        failure.kind = FailureKind::Usage;
    }
    failure.hint = match error {
        SessionError::Exists(_) => Some(
            "a profile is only imported as a new session: another id, or `rhaven session delete` the old one"
                .to_owned(),
        ),
        SessionError::ProfileDirty { .. } if dir.parent().is_some_and(|above| above.join("Last Version").is_file()) => {
            Some("this is a profile inside of a user-data directory: give the folder above it".to_owned())
        }
        SessionError::ProfileDirty { reason } if reason.contains("no user-data directory") => Some(
            "give the folder that the browser's chrome://version names as \"Profile Path\", without its last part"
                .to_owned(),
        ),
        SessionError::ProfileDirty { .. } => {
            Some("close the browser, all its windows; where it was killed, start it once more and close it".to_owned())
        }
        _ => failure.hint.take(),
    };
    failure
}
