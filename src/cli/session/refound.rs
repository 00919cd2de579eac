//! `rhaven session recover` without an id: a store whose records are lost, founded again from what lies beside its blobs.

use serde_json::json;

use super::failure;
use crate::cli::settings::Settings;
use crate::cli::tables::{show_time, table};
use crate::cli::terminal::Terminal;
use crate::cli::{self, Outcome};
use crate::diagnose::{Tone, visible_line};
use crate::run::FailureKind;
use crate::session::{FoundIs, Refounded, refound};

/// Puts back what there is a copy of, and shows it; ends with 5 where something could not be found again.
pub(super) async fn recover(settings: &Settings, terminal: &Terminal) -> Outcome {
    let (_, done) = refound(settings.store.clone(), settings.key.clone()).await.map_err(|error| failure(&error))?;
    if terminal.json {
        terminal.value(&json!(done));
    } else {
        show(&done, terminal);
    }
    let is_lost = |is: FoundIs| is == FoundIs::Incomplete;
    let whole = done.damaged.is_empty() && !done.sessions.iter().any(|found| is_lost(found.is));
    Ok(if whole { cli::OK } else { cli::failed(FailureKind::Store) })
}

fn show(done: &Refounded, terminal: &Terminal) {
    let rows = done.sessions.iter().map(|found| {
        let lost = if found.partial.is_empty() { "" } else { ", not all of its state" };
        let is = format!("{}{lost}", words(found.is));
        [found.tenant.clone(), found.id.clone(), found.version.to_string(), show_time(&found.saved_at), is]
    });
    if !done.sessions.is_empty() {
        let headings = ["TENANT", "SESSION", "VERSION", "SAVED (UTC)", "IS"];
        terminal.data(&table(headings, rows, terminal.out_style, terminal.out_tty));
    }
    for lost in done.sessions.iter().flat_map(|found| &found.partial) {
        terminal.note(&visible_line(&format!("{}: {}", lost.origin, lost.reason)));
    }
    for damage in &done.damaged {
        terminal.data(&terminal.out_style.paint(Tone::Bad, &visible_line(damage)));
    }
    let back = done.sessions.iter().filter(|found| found.is == FoundIs::Restored).count();
    if done.keys {
        terminal.note("the store had no keys of its own any more: they are back");
    }
    terminal.note(&match (back, done.sessions.len()) {
        (0, 0) => {
            "no copy of a session lies beside the blobs: one is kept of each session with a profile, or with something large \
             in it, where the blobs are in S3"
                .to_owned()
        }
        (0, _) => "nothing was lost of what there is a copy of".to_owned(),
        (back, all) => format!("{back} of {all} session(s) are back, each in its newest version"),
    });
}

fn words(is: FoundIs) -> &'static str {
    match is {
        FoundIs::Restored => "back",
        FoundIs::There => "there already",
        FoundIs::Older => "there, and older than its copy: delete it and recover again to have that",
        FoundIs::Expired => "run out since",
        FoundIs::Incomplete => "lost: blobs of it are missing",
    }
}
