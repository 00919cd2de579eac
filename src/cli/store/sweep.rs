//! `rhaven store sweep`: removes large values that no session refers to.

use std::time::Duration;

use super::super::error::CliError;
use super::super::settings::Settings;
use super::super::tables::show_bytes;
use super::super::terminal::Terminal;
use super::super::{OK, Outcome};
use crate::base::{parse_duration, show_duration};
use crate::diagnose;
use crate::session::{SWEEP_GRACE, SessionError, Sessions};

/// No save may take longer than this to refer to what it has written.
const SHORTEST: Duration = Duration::from_hours(1);

/// Arguments of `store sweep`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A run that is killed between writing a large value and the version that refers to it leaves the value behind. Runs sweep \
a store once a day by themselves, in the background, when they last for more than ten seconds; this does it now. Runs may \
go on meanwhile.")]
pub(super) struct SweepArgs {
    /// How old a value has to be that nothing refers to: 1h at least, for a save may be about to refer to it [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    grace: Option<Duration>,
}

/// Sweeps, and says what was removed.
pub(super) async fn execute(args: &SweepArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    let grace = args.grace.unwrap_or(SWEEP_GRACE);
    if grace < SHORTEST {
        let reason = format!("{} at least, found {}", show_duration(SHORTEST), show_duration(grace));
        return Err(CliError::Value { what: "--grace".to_owned(), reason }.into());
    }
    if !settings.store.exists() {
        terminal.data("there is no store yet, and nothing to remove");
        return Ok(OK);
    }
    let failure = |error: SessionError| Box::new(diagnose::session_failure(&error));
    let sessions = Sessions::open(settings.store.clone(), settings.key.clone()).await.map_err(failure)?;
    let swept = sessions.sweep(grace).await.map_err(failure)?;
    if terminal.json {
        terminal.value(&serde_json::json!(swept));
        return Ok(OK);
    }
    let (removed, bytes) = (swept.removed, show_bytes(swept.bytes));
    terminal.data(&format!("{removed} of {} blob(s) were removed that nothing refers to: {bytes}", swept.blobs));
    if swept.unfinished > 0 {
        terminal.data(&format!("{} unfinished upload(s) were removed", swept.unfinished));
    }
    Ok(OK)
}
