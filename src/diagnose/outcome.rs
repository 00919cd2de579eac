//! What a run did to its sessions, in lines; the whole report as one JSON document.

use serde_json::{Value, json};

use super::{Style, Tone, report_exit_code, visible_line};
use crate::run::{Failure, Report};
use crate::session::{Change, ChangeKind, Saved, SessionOutcome};

/// Changes named in the line itself; the rest is counted, and listed where everything is wanted.
const NAMED_CHANGES: usize = 4;

/// One line on what happened to the session, then one for each thing that could not be kept. `all` names every change.
pub fn session_lines(outcome: &SessionOutcome, all: bool, style: Style) -> Vec<String> {
    let id = style.paint(Tone::Strong, outcome.id.as_str());
    let (summary, profile, fork) = (summary(outcome, all, style), with_profile(outcome), forked(outcome));
    let mut lines = vec![format!("session {id}: {summary}{profile}{fork}")];
    lines.extend(outcome.profile_error.as_ref().map(|(code, message)| {
        let label = style.paint(Tone::Warning, "profile not saved, the last one stands:");
        format!("  {label} [{code}] {}", visible_line(message))
    }));
    lines.extend(outcome.partial.iter().map(|lost| {
        let key = lost.key.as_deref().map(|key| format!(" key {key:?}")).unwrap_or_default();
        let label = style.paint(Tone::Warning, "not kept:");
        let told = format!("{}{key} of {}: {}", lost.store, lost.origin, lost.reason);
        format!("  {label} {}", visible_line(&told))
    }));
    lines
}

/// The same where `failure` has been shown: why it was not saved is not told twice.
pub fn after_failure(outcome: &SessionOutcome, failure: Option<&Failure>) -> SessionOutcome {
    let mut outcome = outcome.clone();
    if let (Some((code, message)), Some(failure)) = (&mut outcome.save_error, failure)
        && *code == failure.code
        && let Some(rest) =
            message.strip_prefix(&failure.message).or(failure.message.ends_with(&*message).then_some(""))
    {
        *message = format!("as said above{rest}");
    }
    outcome
}

/// Where the state of an earlier run went. That of this one is named where it is said why it was not saved.
fn forked(outcome: &SessionOutcome) -> String {
    let fork = outcome.forked_to.as_ref().filter(|_| !is_aside(outcome));
    fork.map_or_else(String::new, |fork| format!(", what an earlier run could not save is in session {fork}"))
}

/// Whether the run's own state went to a fork.
fn is_aside(outcome: &SessionOutcome) -> bool {
    outcome.save_error.as_ref().is_some_and(|(code, _)| code == "restore_incomplete")
}

fn summary(outcome: &SessionOutcome, all: bool, style: Style) -> String {
    let start = match (outcome.restored, &outcome.expired_at) {
        (restored, _) if let Some(source) = &outcome.forked_from => match restored {
            Some(_) => format!("a fork of {source}, which was in use"),
            None => format!("new, beside {source}, which was in use"),
        },
        (Some(version), _) if outcome.recovered => format!("recovered {version}"),
        (Some(version), _) => format!("restored {version}"),
        (None, Some(at)) => format!("{} on {at}, started empty", style.paint(Tone::Warning, "expired")),
        (None, None) => "new".to_owned(),
    };
    if outcome.deleted {
        return format!("{start}, deleted");
    }
    let start = match outcome.rolled_back {
        Some(version) => format!("{start}, rolled back to {version}"),
        None => start,
    };
    if let Some((code, message)) = &outcome.save_error {
        return format!("{start}, {} [{code}] {}", style.paint(Tone::Bad, "not saved:"), visible_line(message));
    }
    if outcome.read_only {
        return format!("{start}, read-only: nothing was saved");
    }
    match outcome.version {
        Some(version) if outcome.updated => {
            let arrow = if outcome.restored.is_some() { " ->" } else { "," };
            format!("{start}{arrow} saved {version}{}", changes(&outcome.changes, all))
        }
        // Only what could not be kept differs.
        Some(version) if outcome.restored.is_some_and(|restored| restored != version) => {
            format!("{start} -> saved {version} (no value changed)")
        }
        // A new profile holds more than what is counted.
        Some(version) if outcome.restored.is_none() => format!("{start}, saved {version} (no cookie and no storage)"),
        Some(_) => format!("{start}, unchanged"),
        None => format!("{start}, nothing to keep"),
    }
}

/// Whether the profile was saved along.
fn with_profile(outcome: &SessionOutcome) -> &'static str {
    match outcome.saved {
        Some(Saved::Full) => ", with its profile",
        Some(Saved::State) if outcome.profile_error.is_none() => ", without its profile",
        _ => "",
    }
}

fn changes(changes: &[Change], all: bool) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let named = if all { changes.len() } else { changes.len().min(NAMED_CHANGES) };
    let mut text: Vec<String> = changes[..named].iter().map(change).collect();
    if named < changes.len() {
        text.push(format!("and {} more", changes.len() - named));
    }
    format!(" ({})", text.join(", "))
}

fn change(change: &Change) -> String {
    let kind = match change.kind {
        ChangeKind::Added => "added",
        ChangeKind::Changed => "changed",
        ChangeKind::Removed => "removed",
        ChangeKind::Renewed => "renewed",
    };
    visible_line(&format!("{} {} {kind} on {}", change.store, change.name, change.origin))
}

/// The report as one JSON document (`--json`, `--report json=..`).
pub fn document(report: &Report, emitted: &[Value]) -> Value {
    json!({
        "ok": report_exit_code(report) == 0,
        "exit_code": report_exit_code(report),
        "name": report.name,
        "result": report.result,
        "emitted": emitted,
        "failure": report.failure,
        "sessions": report.sessions,
        "duration_ms": u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SessionId, Version};
    use crate::session::Partial;

    fn outcome() -> SessionOutcome {
        SessionOutcome {
            id: SessionId::new("acme").unwrap(),
            restored: None,
            version: None,
            updated: false,
            changes: Vec::new(),
            partial: Vec::new(),
            expired_at: None,
            save_error: None,
            read_only: false,
            forked_from: None,
            rolled_back: None,
            deleted: false,
            forked_to: None,
            saved: None,
            profile_error: None,
            recovered: false,
            kept_in_outbox: false,
        }
    }

    fn line(outcome: &SessionOutcome) -> String {
        session_lines(outcome, false, Style::PLAIN).join("\n")
    }

    fn changed(name: &str) -> Change {
        Change { kind: ChangeKind::Added, store: "cookie".into(), origin: "127.0.0.1".into(), name: name.into() }
    }

    #[test]
    fn a_run_says_what_happened_to_the_session() {
        let saved =
            SessionOutcome { version: Some(Version(1)), updated: true, changes: vec![changed("sid")], ..outcome() };
        assert_eq!(line(&saved), "session acme: new, saved v1 (cookie sid added on 127.0.0.1)");
        let again = SessionOutcome { restored: Some(Version(1)), version: Some(Version(2)), changes: vec![], ..saved };
        assert_eq!(line(&again), "session acme: restored v1 -> saved v2");
        let same = SessionOutcome { restored: Some(Version(3)), version: Some(Version(3)), ..outcome() };
        assert_eq!(line(&same), "session acme: restored v3, unchanged");
        let recovered = SessionOutcome { recovered: true, ..same.clone() };
        assert_eq!(line(&recovered), "session acme: recovered v3, unchanged");
        let forked = SessionOutcome { forked_to: Some(SessionId::new("acme.fork-1").unwrap()), ..same.clone() };
        let told = "session acme: restored v3, unchanged, what an earlier run could not save is in session acme.fork-1";
        assert_eq!(line(&forked), told);
        let error = Some(("restore_incomplete".to_owned(), "what this run left is in session acme.fork-1".to_owned()));
        let aside = SessionOutcome { save_error: error, ..forked };
        assert_eq!(line(&aside).matches("acme.fork-1").count(), 1);
        assert_eq!(line(&outcome()), "session acme: new, nothing to keep");
        let expired = SessionOutcome { expired_at: Some("2026-01-02T03:04:05Z".into()), ..outcome() };
        assert_eq!(line(&expired), "session acme: expired on 2026-01-02T03:04:05Z, started empty, nothing to keep");
    }

    #[test]
    fn a_rollback_and_a_deletion_are_said() {
        let back = SessionOutcome {
            restored: Some(Version(4)),
            version: Some(Version(5)),
            updated: true,
            rolled_back: Some(Version(2)),
            ..outcome()
        };
        assert_eq!(line(&back), "session acme: restored v4, rolled back to v2 -> saved v5");
        let gone = SessionOutcome { restored: Some(Version(4)), deleted: true, ..outcome() };
        assert_eq!(line(&gone), "session acme: restored v4, deleted");
    }

    #[test]
    fn what_was_not_kept_or_not_saved_is_said() {
        let partial = Partial {
            origin: "https://a.test".into(),
            store: "indexedDB:keys/main".into(),
            key: Some("k".into()),
            reason: "a non-extractable key".into(),
        };
        let lost = SessionOutcome { partial: vec![partial], ..outcome() };
        insta::assert_snapshot!(line(&lost), @r#"
        session acme: new, nothing to keep
          not kept: indexedDB:keys/main key "k" of https://a.test: a non-extractable key
        "#);
        let failed =
            SessionOutcome { save_error: Some(("lease_lost".into(), "the lease is lost".into())), ..outcome() };
        assert_eq!(line(&failed), "session acme: new, not saved: [lease_lost] the lease is lost");
    }

    #[test]
    fn a_reason_that_was_shown_is_not_told_again() {
        let error = |code: &str| Some((code.to_owned(), "it is not signed in; v1 stays the newest".to_owned()));
        let unsaved = SessionOutcome { save_error: error("auth_required"), ..outcome() };
        let after = |code: &str, message: &str| {
            let failure = crate::diagnose::usage_failure(code, message, None);
            line(&after_failure(&unsaved, Some(&failure)))
        };
        let told = "session acme: new, not saved: [auth_required] as said above; v1 stays the newest";
        assert_eq!(after("auth_required", "it is not signed in"), told);
        let saving = "session \"acme\" was not saved: it is not signed in; v1 stays the newest";
        assert_eq!(after("auth_required", saving), "session acme: new, not saved: [auth_required] as said above");
        for (code, message) in [("auth_required", "another is not signed in"), ("timeout", "it is not signed in")] {
            assert_eq!(after(code, message), line(&unsaved), "{code}");
        }
        assert_eq!(line(&after_failure(&unsaved, None)), line(&unsaved));
    }

    #[test]
    fn a_profile_session_says_what_of_it_was_saved() {
        let full = SessionOutcome {
            restored: Some(Version(1)),
            version: Some(Version(2)),
            saved: Some(Saved::Full),
            ..outcome()
        };
        assert_eq!(line(&full), "session acme: restored v1 -> saved v2 (no value changed), with its profile");
        let profile_error = Some(("profile_dirty".into(), "its browser did not end in order".into()));
        insta::assert_snapshot!(line(&SessionOutcome { saved: Some(Saved::State), profile_error, ..full }), @r"
        session acme: restored v1 -> saved v2 (no value changed)
          profile not saved, the last one stands: [profile_dirty] its browser did not end in order
        ");
    }

    #[test]
    fn many_changes_are_counted_unless_all_are_wanted() {
        let changes: Vec<Change> = ["a", "b", "c", "d", "e", "f"].map(changed).into();
        let saved = SessionOutcome { version: Some(Version(1)), updated: true, changes, ..outcome() };
        assert!(line(&saved).ends_with("cookie d added on 127.0.0.1, and 2 more)"));
        assert!(session_lines(&saved, true, Style::PLAIN)[0].contains("cookie f added"));
    }
}
