//! `rhaven store copy`: one store into another.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::error::CliError;
use super::super::settings::Settings;
use super::super::tables::show_bytes;
use super::super::terminal::Terminal;
use super::super::{Outcome, failed};
use super::failure;
use crate::base::{Deadline, parse_duration};
use crate::diagnose;
use crate::run::{Failure, FailureKind};
use crate::session::{Sessions, StoreConfig};
use crate::store::{Backends, Copied, CopyError, CopyPlan, CopyProgress, RecordName, copy, plan};

/// Without a terminal a line comes this often at most.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Arguments of `store copy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven store copy configured redis://redis.internal --to-blobs s3://team-sessions/rhaven
  rhaven store copy redis://redis.internal --from-blobs s3://team-sessions/rhaven ./backup
  RHAVEN_STORE=rediss://ann:..@redis.internal RHAVEN_BLOBS=s3://team-sessions rhaven store copy ./store configured

Everything is copied as it is, sealed: no key is needed, and the same key opens the copy. Called again it goes on where it \
ended: what is there already is left alone. Where the target has other contents under the same names nothing is written. \
Sessions that a run holds are left out and named. A URL on a command line can be read by others on this machine: one with a \
password is better put into RHAVEN_STORE and called `configured`.")]
pub(super) struct CopyArgs {
    /// Where from: a folder, redis://.., rediss://.., or `configured` for the store that other commands use
    from: String,
    /// Where to
    to: String,
    #[arg(
        long,
        help = "Where the blobs are: a folder, or s3://BUCKET/PREFIX [default: with the records]",
        value_name = "PLACE"
    )]
    from_blobs: Option<String>,
    /// Where the blobs go
    #[arg(long, value_name = "PLACE")]
    to_blobs: Option<String>,
    /// How long to wait for sessions that a run holds
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    wait: Option<Duration>,
}

/// Copies, and says what was not.
pub(super) async fn execute(args: &CopyArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    let from = settings.named_store(["FROM", "--from-blobs"], &args.from, args.from_blobs.as_deref())?;
    let to = settings.named_store(["TO", "--to-blobs"], &args.to, args.to_blobs.as_deref())?;
    if !from.exists() {
        return Err(CliError::Value {
            what: "FROM".to_owned(),
            reason: format!("there is no store at {}", from.place()),
        }
        .into());
    }
    let (source, target) = (opened("FROM", &from).await?, opened("TO", &to).await?);
    let planned = plan(&source, &target).await.map_err(|error| copy_failure(&error, &to))?;
    if let Err(error) = planned.refuse_differing() {
        return refuse(&planned, &copy_failure(&error, &to), &Names::of(&from, settings).await, terminal).await;
    }
    let progress = Progress::of(terminal);
    let patience = Deadline::after(args.wait.unwrap_or_default());
    let done = copy(&source, &target, &planned, patience, |at| progress.tell(at)).await;
    progress.bar.finish_and_clear();
    let done = done.map_err(|error| copy_failure(&error, &to))?;
    let names = Names::of(&from, settings).await;
    report(&planned, &done, &names, [&from, &to], terminal).await;
    let is_whole = done.held.is_empty() && done.failed.is_empty();
    Ok(if is_whole { super::super::OK } else { failed(FailureKind::Store) })
}

async fn opened(what: &str, store: &StoreConfig) -> Result<Backends, Box<Failure>> {
    let Some((records, blobs)) = store.places() else {
        let reason = "a store in memory is gone with its process: there is nothing to copy".to_owned();
        return Err(CliError::Value { what: what.to_owned(), reason }.into());
    };
    Backends::open(&records, &blobs).await.map_err(failure)
}

fn copy_failure(error: &CopyError, to: &StoreConfig) -> Box<Failure> {
    let hint = match error {
        CopyError::Mismatch => Some(format!(
            "another place to copy to; or, where {} holds nothing that is still wanted, empty it first",
            to.place()
        )),
        CopyError::Differs { .. } => Some(
            "they were written since they were copied, or are others: delete them there (`rhaven session delete`), or copy \
             to another place"
                .to_owned(),
        ),
        _ => None,
    };
    Box::new(Failure { hint, ..diagnose::store_failure(error.code(), error) })
}

/// What sessions are called, where the key tells.
struct Names(Option<Sessions>);

impl Names {
    async fn of(store: &StoreConfig, settings: &Settings) -> Self {
        // The copy needs no key: without it sessions are shown by their names in the store.
        Self(Sessions::open(store.clone(), settings.key.clone()).await.ok())
    }

    async fn tell(&self, names: impl IntoIterator<Item = RecordName>) -> BTreeMap<RecordName, String> {
        let names: Vec<RecordName> = names.into_iter().collect();
        let mut told = match &self.0 {
            Some(sessions) => sessions.called(&names).await,
            None => BTreeMap::new(),
        };
        for name in names {
            told.entry(name).or_insert_with(|| format!("{name}"));
        }
        told
    }
}

async fn refuse(plan: &CopyPlan, failure: &Failure, names: &Names, terminal: &Terminal) -> Outcome {
    let differing: Vec<String> = names.tell(plan.differing.iter().copied()).await.into_values().collect();
    let code = failed(failure.kind);
    if terminal.json {
        terminal.value(&serde_json::json!({
            "ok": false, "exit_code": code, "failure": failure, "differing": differing,
        }));
        return Ok(code);
    }
    for name in &differing {
        terminal.say(&format!("session {name}: another content in the target"));
    }
    Ok(terminal.fail(failure))
}

async fn report(plan: &CopyPlan, done: &Copied, names: &Names, [from, to]: [&StoreConfig; 2], terminal: &Terminal) {
    let held = names.tell(done.held.iter().copied()).await;
    let failed = names.tell(done.failed.iter().map(|(name, _)| *name)).await;
    let failed: Vec<(String, &str)> = done
        .failed
        .iter()
        .map(|(name, reason)| (failed.get(name).cloned().unwrap_or_default(), reason.as_str()))
        .collect();
    if terminal.json {
        let failed: Vec<_> =
            failed.iter().map(|(name, reason)| serde_json::json!({ "session": name, "reason": reason })).collect();
        terminal.value(&serde_json::json!({
            "ok": failed.is_empty() && held.is_empty(),
            "from": from.place(),
            "to": to.place(),
            "sessions": {
                "copied": done.copied.len(), "there": done.there, "gone": done.gone, "verified": done.verified,
                "held": held.values().collect::<Vec<_>>(), "failed": failed,
            },
            "documents": { "copied": done.documents, "there": done.documents_there },
            "blobs": { "copied": done.blobs, "bytes": done.bytes },
            "unsaved": plan.unsaved,
        }));
        return;
    }
    for name in held.values() {
        terminal.say(&format!("session {name}: a run holds it, so it was left out; call it again, or give --wait 1m"));
    }
    for (name, reason) in &failed {
        terminal.say(&format!("session {name}: {reason}"));
    }
    if plan.unsaved > 0 {
        terminal.say(&format!(
            "what {} crashed run(s) left of sessions that were never saved is not copied: run them once more before",
            plan.unsaved
        ));
    }
    terminal.note(&format!(
        "copied {} session(s), {} document(s), {} blob(s) ({}); {} session(s) and {} document(s) were there already; \
         {} session(s) verified",
        done.copied.len(),
        done.documents,
        done.blobs,
        show_bytes(done.bytes),
        done.there,
        done.documents_there,
        done.verified
    ));
}

/// A bar on a terminal, else a line now and then.
struct Progress<'a> {
    bar: ProgressBar,
    told: Mutex<Instant>,
    terminal: &'a Terminal,
}

impl<'a> Progress<'a> {
    fn of(terminal: &'a Terminal) -> Self {
        let shown = if terminal.loud() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, shown);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} sessions, {msg}") {
            bar.set_style(style);
        }
        Self { bar, told: Mutex::new(Instant::now()), terminal }
    }

    fn tell(&self, at: CopyProgress) {
        self.bar.set_length(at.of as u64);
        self.bar.set_position(at.sessions as u64);
        self.bar.set_message(show_bytes(at.bytes));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bar.is_hidden() && told.elapsed() >= LINE_EVERY {
            *told = Instant::now();
            self.terminal.note(&format!("  {} of {} sessions, {}", at.sessions, at.of, show_bytes(at.bytes)));
        }
    }
}
