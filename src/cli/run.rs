//! `rhaven run`: makes a job of the command line, runs it, shows the report.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::environment::Environment;
use super::error::CliError;
use super::events::Events;
use super::hand_over::LivePages;
use super::interrupt::{INTERRUPTED, Interrupts};
use super::job::{JobArgs, Script, TimeArgs, read_import};
use super::repl::{Paused, no_signals};
use super::settings::Settings;
use super::terminal::Terminal;
use crate::diagnose;
use crate::repl::Trace;
use crate::run::{self, Report};

const EXAMPLES: &str = "\
Examples:
  rhaven run orders.rhai --session acme --secrets-file ~/.acme-secrets
  rhaven run orders.rhai --arg url=http://127.0.0.1:7410 --arg days=30
  echo 'goto(\"https://example.com\"); title()' | rhaven run -
  rhaven run orders.rhai | jq .orders

The value of the script's last expression and emitted lines are JSON on stdout; everything else is on stderr. \
A secret that the script asks for as secret(\"NAME\") comes from --secrets-file, or from the variable RHAVEN_SECRET_NAME. \
Ctrl-C stops the script, saves the session and closes the browser; a second one ends at once.";

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    /// The script; - for stdin
    file: String,
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    time: TimeArgs,
    /// Write a report: json=PATH; may be given again
    #[arg(long = "report", value_name = "KIND=PATH", value_parser = report_target)]
    reports: Vec<PathBuf>,
}

fn report_target(text: &str) -> Result<PathBuf, String> {
    match text.split_once('=') {
        Some(("json", path)) if !path.is_empty() => Ok(path.into()),
        Some((kind, _)) => Err(format!("this rhaven writes json reports (json=PATH), not {kind:?}")),
        None => Err("KIND=PATH is wanted, e.g. json=report.json".to_owned()),
    }
}

/// Runs the script; the exit code is the report's.
pub(super) async fn execute(
    args: RunArgs,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Outcome {
    let reports = args.reports.clone();
    let script = Script::read(&args.file, environment)?;
    let holder = format!("rhaven run {}", script.name);
    let mut job = args.job.job(script, holder, settings, environment, terminal)?;
    args.time.limit(&mut job);
    job.handover = Some(LivePages::new(terminal, true, job.workspace.launch.headed));
    let import_root = job.import_root.clone();
    let trace = Trace::default();
    let mut paused = Paused::take(&mut job, &trace, settings, environment, terminal);
    let mut interrupts = Interrupts::catch().map_err(|error| no_signals(&error))?;
    // What dead runs left is cleared away while this one starts.
    let reaping = tokio::task::spawn_blocking(crate::browser::reap);
    let cancel = CancellationToken::new();
    let events = Events::new(terminal.clone(), cancel.clone());
    let shown = events.clone();
    let mut running = std::pin::pin!(run::run(job, cancel.clone(), move |event| {
        trace.hear(&event);
        shown.show(event);
    }));
    let mut asked = false;
    let mut report = loop {
        tokio::select! {
            report = &mut running => break report,
            dialogue = paused.next() => {
                // The run goes on meanwhile: its time may be over before the person is done.
                tokio::select! {
                    report = &mut running => break report,
                    terminated = paused.hold(dialogue, &mut interrupts, &cancel) => asked |= terminated,
                }
            }
            () = interrupts.next() => {
                if asked {
                    terminal.say("interrupted again: ending now");
                    return Ok(INTERRUPTED);
                }
                asked = true;
                terminal.say("interrupted: stopping the script, saving the session; once more ends at once");
                cancel.cancel();
            }
        }
    };
    // A reader of stdout that went away cancelled the run; that is no interruption to be told of.
    let quiet = terminal.closed() && !asked;
    // Nothing to do about it where it failed: it is tried again at the next start.
    let _ = reaping.await;
    if let Some(failure) = &mut report.failure {
        settings.explain_missing_browser(failure);
    }
    conclude(&report, &events, &reports, &import_root, terminal, quiet)
}

fn conclude(
    report: &Report,
    events: &Events,
    reports: &[PathBuf],
    import_root: &Path,
    terminal: &Terminal,
    quiet: bool,
) -> Outcome {
    if quiet {
        return Ok(diagnose::report_exit_code(report));
    }
    let document = (terminal.json || !reports.is_empty()).then(|| diagnose::document(report, &events.emitted()));
    match &document {
        Some(document) if terminal.json => {
            terminal.value(document);
        }
        _ if report.result.is_null() => {}
        _ => {
            terminal.value(&report.result);
        }
    }
    if let Some(failure) = &report.failure {
        let imported = |file: &str| read_import(import_root, file);
        terminal.failure(failure, &diagnose::Script { name: &report.name, text: &report.source, imported: &imported });
    }
    terminal.sessions(&report.sessions, report.failure.as_ref());
    if let Some(document) = document {
        for path in reports {
            write_report(path, &document)?;
        }
    }
    Ok(diagnose::report_exit_code(report))
}

fn write_report(path: &Path, document: &serde_json::Value) -> Result<(), CliError> {
    std::fs::write(path, format!("{document:#}\n")).map_err(|error| CliError::File {
        what: "the report",
        path: path.to_owned(),
        verb: "written",
        reason: error.to_string(),
    })
}
