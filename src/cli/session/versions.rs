//! `rhaven session history|diff|rollback|fork|pin|unpin`: the kept versions of a session, by name and never by value.

use serde_json::json;

use super::{Place, confirmed, dash, failure, with_near};
use crate::base::{SessionId, Version};
use crate::cli::tables::{show_time, table};
use crate::diagnose::Tone;
use crate::run::Failure;
use crate::session::{Change, ChangeKind, HistoryEntry, ProfileChange, SessionError, VersionDiff, VersionInfo};

/// Changes named in a line of the history; the rest is counted.
const NAMED: usize = 4;

/// What a command comes to.
pub(super) type Done = Result<(), Box<Failure>>;

/// A version as it is written on the command line: `3` or `v3`.
pub(super) fn version(text: &str) -> Result<Version, String> {
    let number = text.strip_prefix('v').unwrap_or(text).parse();
    match number {
        Ok(number) if number > 0 => Ok(Version(number)),
        _ => Err("a version is a number such as 3 or v3".to_owned()),
    }
}

/// Every kept version with what it changed. One that cannot be opened does not hide the others.
pub(super) async fn history(place: &Place<'_>, id: &SessionId) -> Done {
    let Place { sessions, settings, terminal, .. } = place;
    let mut history = match sessions.history(&settings.tenant, id).await {
        Ok(history) => history,
        Err(error) => return Err(with_near(&error, sessions, settings).await),
    };
    let (mut entries, mut damaged) = (Vec::new(), None);
    for info in history.versions() {
        match history.entry(info.version).await {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                entries.push(HistoryEntry { version: info, against: None, changes: None, profile: None });
                damaged.get_or_insert(error);
            }
        }
    }
    if terminal.json {
        terminal.value(&json!(entries));
    } else {
        let rows = entries.iter().map(|entry| {
            let HistoryEntry { version: VersionInfo { version, saved_at, pinned }, changes, profile, .. } = entry;
            let pinned = if *pinned { "yes" } else { "-" };
            let changed = match (changes.as_deref(), profile) {
                (Some([]), Some(ProfileChange::OwnFiles)) => "(browser's own files and settings only)".to_owned(),
                (Some([]), Some(ProfileChange::Files)) => "(profile only)".to_owned(),
                (changes, _) => summary(changes),
            };
            [version.to_string(), show_time(saved_at), pinned.to_owned(), changed]
        });
        let headings = ["VERSION", "SAVED (UTC)", "PINNED", "CHANGED"];
        terminal.data(&table(headings, rows, terminal.out_style, terminal.out_tty));
    }
    damaged.map_or(Ok(()), |error| Err(failure(&error)))
}

/// What was changed, in one line.
pub(super) fn summary(changes: Option<&[Change]>) -> String {
    match changes {
        None => "(not known)".to_owned(),
        Some([]) => "(no value)".to_owned(),
        Some(changes) => {
            let shown = changes.iter().take(NAMED).map(|change| {
                let Change { store, name, .. } = change;
                format!("{store} {name} {}", kind(change.kind))
            });
            let more = changes.len().saturating_sub(NAMED);
            let rest = (more > 0).then(|| format!("and {more} more"));
            shown.chain(rest).collect::<Vec<_>>().join(", ")
        }
    }
}

fn kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Changed => "changed",
        ChangeKind::Removed => "removed",
        ChangeKind::Renewed => "renewed",
    }
}

/// What differs between two versions.
pub(super) async fn diff(place: &Place<'_>, id: &SessionId, from: Option<Version>, to: Option<Version>) -> Done {
    let Place { sessions, settings, terminal, .. } = place;
    let diff = match sessions.diff(&settings.tenant, id, from, to).await {
        Ok(diff) => diff,
        Err(error) => return Err(with_near(&error, sessions, settings).await),
    };
    if terminal.json {
        terminal.value(&json!(diff));
        return Ok(());
    }
    let VersionDiff { from, to, changes } = diff;
    let from = from.map_or_else(|| "nothing".to_owned(), |from| from.to_string());
    let title = format!("from {from} to {to}");
    terminal.data(&terminal.out_style.paint(Tone::Strong, &title));
    if changes.is_empty() {
        terminal.data("no cookie and no storage differs");
    } else {
        let rows = changes.iter().map(|change| {
            let Change { store, origin, name, .. } = change.clone();
            [kind(change.kind).to_owned(), store, dash(name), origin]
        });
        let headings = ["CHANGE", "STORE", "NAME", "ORIGIN"];
        terminal.data(&table(headings, rows, terminal.out_style, terminal.out_tty));
    }
    Ok(())
}

/// Makes an old version HEAD's content again.
pub(super) async fn rollback(place: &Place<'_>, id: &SessionId, version: Version, yes: bool) -> Done {
    let Place { sessions, settings, terminal, .. } = place;
    // Asked before the question, so that nobody confirms what cannot be.
    let head = match sessions.history(&settings.tenant, id).await {
        Ok(history) => history.versions().first().map(|head| head.version),
        Err(error) => return Err(with_near(&error, sessions, settings).await),
    };
    let diff = sessions.diff(&settings.tenant, id, head, Some(version)).await.map_err(|error| failure(&error))?;
    let changes = summary(Some(&diff.changes));
    let question = format!("roll session {id} back to {version} as a new version? it changes {changes} [y/N]");
    if head != Some(version) && !yes && !confirmed(&question, &format!("rolling back session {id}"), terminal)? {
        terminal.note("nothing was changed");
        return Ok(());
    }
    let done = sessions.rollback(&settings.tenant, id, version).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&json!(done));
    }
    let inner = changes.trim_matches(['(', ')']);
    terminal.note(&if done.from == done.version {
        format!("session {id}: {version} is its newest version already")
    } else {
        format!("session {id}: {} -> {} with the content of {} ({})", done.from, done.version, done.to, inner)
    });
    Ok(())
}

/// Copies a version to a new session.
pub(super) async fn fork(place: &Place<'_>, id: &SessionId, new_id: &SessionId, version: Option<Version>) -> Done {
    let Place { sessions, settings, terminal, .. } = place;
    match sessions.fork(&settings.tenant, id, new_id, version).await {
        Ok(from) => {
            if terminal.json {
                terminal.value(&json!({ "id": new_id, "version": 1, "forked_from": id, "of_version": from }));
            }
            terminal.note(&format!("session {new_id}: v1, a fork of {from} of {id}"));
            Ok(())
        }
        Err(error @ SessionError::NotFound(_)) => Err(with_near(&error, sessions, settings).await),
        Err(error) => Err(failure(&error)),
    }
}

/// Pins a version, or lets it go.
pub(super) async fn pin(place: &Place<'_>, id: &SessionId, version: Version, pinned: bool) -> Done {
    let Place { sessions, settings, terminal, .. } = place;
    if let Err(error) = sessions.pin(&settings.tenant, id, version, pinned).await {
        return Err(with_near(&error, sessions, settings).await);
    }
    if terminal.json {
        terminal.value(&json!({ "id": id, "version": version, "pinned": pinned }));
    }
    terminal.note(&format!(
        "session {id}: {version} {}",
        if pinned { "is kept until it is unpinned" } else { "goes when 20 later ones are kept" }
    ));
    Ok(())
}
