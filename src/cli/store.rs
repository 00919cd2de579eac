//! `rhaven store`: where sessions are kept and what is there; copying all of it to another place.

mod copy;
mod sweep;

use super::Outcome;
use super::settings::Settings;
use super::tables::show_bytes;
use super::terminal::Terminal;
use crate::diagnose;
use crate::run::Failure;
use crate::session::{SessionError, StoreConfig};
use crate::store::{Backends, BlobsAt, RecordsAt, StoreError};

/// Arguments of `store`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a subcommand it shows where the store is, and how much it holds. `rhaven docs stores` tells how to choose one.")]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: Option<StoreCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum StoreCommand {
    /// Copy everything to another store; the same key opens it there
    Copy(copy::CopyArgs),
    /// Remove large values that no session refers to
    Sweep(sweep::SweepArgs),
}

/// Shows, copies or sweeps.
pub(super) async fn execute(args: StoreArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    match args.command {
        None => show(settings, terminal).await,
        Some(StoreCommand::Copy(args)) => copy::execute(&args, settings, terminal).await,
        Some(StoreCommand::Sweep(args)) => sweep::execute(&args, settings, terminal).await,
    }
}

async fn show(settings: &Settings, terminal: &Terminal) -> Outcome {
    let store = &settings.store;
    let Some((records, blobs)) = store.places() else {
        let text = "in memory: sessions end with the process";
        if terminal.json {
            terminal.value(&serde_json::json!({ "store": "memory:", "shared": false }));
        } else {
            terminal.data(text);
        }
        return Ok(super::OK);
    };
    let found = match open(store).await? {
        Some(backends) => Some(backends.contents().await.map_err(failure)?),
        None => None,
    };
    if terminal.json {
        let held = found.map(|found| {
            serde_json::json!({
                "tenants": found.tenants,
                "sessions": { "count": found.sessions, "versions": found.versions, "bytes": found.session_bytes },
                "documents": { "count": found.documents, "bytes": found.document_bytes },
                "blobs": { "count": found.blobs, "bytes": found.blob_bytes },
            })
        });
        terminal.value(&serde_json::json!({
            "store": records.to_string(),
            "blobs": blobs.to_string(),
            "shared": store.is_shared(),
            "holds": held,
        }));
        return Ok(super::OK);
    }
    terminal.data(&format!("records    {records}"));
    terminal.data(&format!("blobs      {blobs}"));
    terminal.data(&format!("key        {}", settings.key.place()));
    if let Some(line) = words(&records, &blobs) {
        terminal.data(&format!("           {line}"));
    }
    let Some(found) = found else {
        terminal.data("nothing is there yet; the first session that is saved makes it");
        return Ok(super::OK);
    };
    let (sessions, documents, blobs) =
        (show_bytes(found.session_bytes), show_bytes(found.document_bytes), show_bytes(found.blob_bytes));
    let (count, versions, tenants) = (found.sessions, found.versions, found.tenants);
    terminal.data(&format!("sessions   {count} of {tenants} tenant(s), {versions} version(s), {sessions}"));
    terminal.data(&format!("documents  {}, {documents}", found.documents));
    terminal.data(&format!("blobs      {}, {blobs}", found.blobs));
    Ok(super::OK)
}

/// What is worth knowing of two places that do not go together by themselves.
pub(super) fn words(records: &RecordsAt, blobs: &BlobsAt) -> Option<&'static str> {
    match (records.is_shared(), blobs.is_shared()) {
        (true, false) => Some("the blobs are in a folder: each machine that uses this store has to see the same one"),
        (false, true) => Some("the records are in a folder: only machines that see it can use the store"),
        _ => None,
    }
}

/// Opens a store without its key; none where there is none yet.
async fn open(store: &StoreConfig) -> Result<Option<Backends>, Box<Failure>> {
    let Some((records, blobs)) = store.places().filter(|_| store.exists()) else { return Ok(None) };
    Backends::open(&records, &blobs).await.map(Some).map_err(failure)
}

fn failure(error: StoreError) -> Box<Failure> {
    Box::new(diagnose::session_failure(&SessionError::from(error)))
}
