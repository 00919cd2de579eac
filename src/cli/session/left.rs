//! `rhaven session recover`: what runs that did not end well left, made versions without a run, or dropped.

use serde_json::json;

use super::versions::{Done, summary};
use super::{Place, confirmed, failure, with_near};
use crate::base::SessionId;
use crate::cli::tables::show_time;
use crate::session::{Left, LeftIn, Sessions, Taken};

/// Makes versions of what was left, or drops it.
pub(super) async fn recover(place: &Place<'_>, id: &SessionId, discard: bool, yes: bool) -> Done {
    if discard {
        return drop_it(place, id, yes).await;
    }
    let Place { sessions, settings, terminal, .. } = place;
    let (taken, notices) = match sessions.recover(&settings.tenant, id, settings.ttl).await {
        Ok(done) => done,
        Err(error) => return Err(with_near(&error, sessions, settings).await),
    };
    if terminal.json {
        terminal.value(&json!({ "id": id, "recovered": taken, "notices": notices }));
        return Ok(());
    }
    for notice in &notices {
        terminal.note(notice);
    }
    for Taken { version, forked_to, changes, .. } in &taken {
        let place = match (version, forked_to) {
            (_, Some(fork)) => format!("session {fork}"),
            (Some(version), None) => format!("{version} of session {id}"),
            (None, None) => format!("session {id}"),
        };
        terminal.note(&format!("{place}: {}", summary(Some(changes))));
    }
    if taken.is_empty() && notices.is_empty() {
        terminal.note(&format!("session {id}: nothing was left of it; its newest version is all that there is"));
    }
    Ok(())
}

async fn drop_it(place: &Place<'_>, id: &SessionId, yes: bool) -> Done {
    let Place { sessions, settings, terminal, .. } = place;
    let left = sessions.left(&settings.tenant, id).await.map_err(|error| failure(&error))?;
    if !left.is_empty() {
        let what = left.iter().map(describe).collect::<Vec<_>>().join(", ");
        let question = format!("drop what runs left of session {id} ({what})? its newest version stays [y/N]");
        if !yes && !confirmed(&question, &format!("dropping what was left of session {id}"), terminal)? {
            terminal.note("nothing was dropped");
            return Ok(());
        }
    }
    let dropped = match sessions.discard_left(&settings.tenant, id).await {
        Ok(dropped) => dropped,
        Err(error) => return Err(with_near(&error, sessions, settings).await),
    };
    if terminal.json {
        terminal.value(&json!({ "id": id, "dropped": dropped }));
    }
    terminal.note(&match dropped {
        0 => format!("session {id}: nothing was left of it"),
        _ => format!("session {id}: dropped; its newest version is as it was"),
    });
    Ok(())
}

/// One thing that was left, in words.
pub(super) fn describe(left: &Left) -> String {
    let at = show_time(&left.made);
    match left.place {
        LeftIn::Checkpoint => format!("changes of a run that ended without saving, of {at}"),
        LeftIn::Outbox => format!("changes that could not be saved, of {at}, in the outbox"),
    }
}

/// What a listing says of the outbox; none where nothing waits.
pub(super) fn waiting(sessions: &Sessions, place: &crate::cli::settings::Settings) -> Option<String> {
    let waiting = sessions.outbox_of(&place.tenant).len();
    let folder = place.outbox();
    (waiting > 0).then(|| {
        let folder = folder.display();
        format!(
            "{waiting} state(s) that could not be saved wait in {folder}: the next run of their session takes them up, or \
             `rhaven session recover ID`"
        )
    })
}
