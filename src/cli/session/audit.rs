//! `rhaven session check`: whether all that is kept of a session can be opened.

use serde_json::json;

use super::{Place, failure, with_near};
use crate::base::SessionId;
use crate::cli::tables::{show_bytes, show_time, table};
use crate::cli::{self, Outcome};
use crate::diagnose::{Tone, visible_line};
use crate::run::FailureKind;
use crate::session::{Audit, SessionError};

/// Opens everything; the exit code tells whether it is whole.
pub(super) async fn check(place: &Place<'_>, id: &SessionId) -> Outcome {
    let Place { sessions, settings, terminal, .. } = *place;
    let audit = match sessions.audit(&settings.tenant, id).await {
        Ok(audit) => audit,
        Err(error @ SessionError::NotFound(_)) => return Err(with_near(&error, sessions, settings).await),
        Err(error) => return Err(failure(&error)),
    };
    if terminal.json {
        terminal.value(&json!(audit));
    } else {
        show(place, &audit);
    }
    Ok(if audit.whole { cli::OK } else { cli::failed(FailureKind::Store) })
}

fn show(place: &Place<'_>, audit: &Audit) {
    let terminal = place.terminal;
    let rows = audit.versions.iter().map(|version| {
        let state = match version.damaged.len() {
            0 => "whole".to_owned(),
            count => format!("{count} damaged"),
        };
        let pinned = if version.version.pinned { "yes" } else { "-" };
        [
            version.version.version.to_string(),
            show_time(&version.version.saved_at),
            pinned.to_owned(),
            version.cookies.to_string(),
            version.parts.to_string(),
            version.blobs.to_string(),
            show_bytes(version.bytes),
            state,
        ]
    });
    let headings = ["VERSION", "SAVED (UTC)", "PINNED", "COOKIES", "ORIGINS", "BLOBS", "SIZE", "IS"];
    terminal.data(&table(headings, rows, terminal.out_style, terminal.out_tty));
    for version in &audit.versions {
        for damage in &version.damaged {
            let line = format!("{}: {}: {}", version.version.version, damage.what, damage.reason);
            terminal.data(&terminal.out_style.paint(Tone::Bad, &visible_line(&line)));
        }
    }
    if audit.whole {
        terminal.note(&format!("session {}: all of it can be opened", audit.id));
    } else {
        let whole = audit.versions.iter().find(|version| version.damaged.is_empty());
        let way = whole.map_or_else(
            || "no kept version is whole".to_owned(),
            |whole| {
                let version = whole.version.version;
                format!("{version} is whole: `rhaven session fork {} NEW --at {version}` copies it", audit.id)
            },
        );
        terminal.say(&format!("session {} is damaged; {way}", audit.id));
    }
}
