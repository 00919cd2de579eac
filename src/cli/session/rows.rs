//! What `rhaven session list` shows: a row per session, with fewer columns where the terminal is narrow.

use crate::cli::tables::{show_bytes, show_time};
use crate::cli::terminal::Terminal;
use crate::diagnose::table_of;
use crate::session::SessionSummary;

/// Columns of a terminal from which on all that is known of a session stands in its row.
const WIDE: usize = 100;

/// The table.
pub(super) fn list(all: &[SessionSummary], terminal: &Terminal) -> String {
    let width = terminal.out_tty.then_some(terminal.out_style.width);
    if width.is_none_or(|width| width >= WIDE) {
        let headings = ["ID", "VERSION", "SAVED (UTC)", "EXPIRES", "COOKIES", "ORIGINS", "SIZE", "IN USE BY"];
        return lines(headings, all.iter().map(wide), width);
    }
    lines(["ID", "VERSION", "SAVED", "SIZE"], all.iter().map(narrow), width)
}

fn lines<const N: usize>(headings: [&str; N], rows: impl Iterator<Item = [String; N]>, width: Option<usize>) -> String {
    table_of(headings.map(str::to_owned).into(), rows.map(Vec::from), width)
}

fn wide(session: &SessionSummary) -> [String; 8] {
    let is_unread = session.profile.as_ref().is_some_and(|profile| profile.unread);
    let count = |count: usize| if is_unread { "unread".to_owned() } else { count.to_string() };
    [
        session.id.to_string(),
        session.version.to_string(),
        show_time(&session.saved_at),
        session.expires_at.as_deref().map_or_else(|| "never".to_owned(), show_time),
        count(session.cookies),
        count(session.origins),
        size(session),
        session.held_by.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

fn narrow(session: &SessionSummary) -> [String; 4] {
    let day = session.saved_at.get(..10).unwrap_or(&session.saved_at).to_owned();
    [session.id.to_string(), session.version.to_string(), day, size(session)]
}

/// Its storage, with the profile where it is a profile session.
fn size(session: &SessionSummary) -> String {
    match &session.profile {
        Some(profile) => format!("{} (profile)", show_bytes(session.bytes + profile.bytes)),
        None => show_bytes(session.bytes),
    }
}

/// What is said of sessions that have no version yet; nothing where there is none.
pub(super) fn unsaved(count: usize) -> Option<String> {
    let (what, is) = if count == 1 { ("session", "has") } else { ("sessions", "have") };
    (count > 0).then(|| {
        format!(
            "{count} {what} {is} no version yet: a run was killed before it saved one. The next run with that id takes up what \
             it left, or `rhaven session recover ID`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SessionId, Version};
    use crate::session::{ProfileInfo, Saved};

    #[test]
    fn a_profile_counts_and_is_named() {
        let plain = SessionSummary {
            id: SessionId::new("acme").unwrap(),
            version: Version(2),
            saved_at: "2026-11-22T01:50:12.123Z".into(),
            expires_at: None,
            cookies: 3,
            origins: 1,
            bytes: 512,
            profile: None,
            held_by: None,
        };
        assert_eq!(wide(&plain)[3..], ["never", "3", "1", "512 B", "-"]);
        let (files, chromium) = (2, Some("156.0".to_owned()));
        let profile = ProfileInfo { saved: Saved::Full, files, bytes: 1536, chromium, unread: true };
        let session = SessionSummary { profile: Some(profile), held_by: Some("a run".into()), ..plain };
        assert_eq!(wide(&session)[4..], ["unread", "unread", "2.0 KiB (profile)", "a run"]);
        assert_eq!(narrow(&session), ["acme", "v2", "2026-11-22", "2.0 KiB (profile)"]);
        let width = lines(["ID", "VERSION", "SAVED", "SIZE"], [narrow(&session)].into_iter(), Some(50));
        assert_eq!(width.lines().count(), 2, "{width}");
    }
}
