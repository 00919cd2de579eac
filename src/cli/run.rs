//! `rhaven run`: makes a job of the command line, runs it, shows the report.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::args::session_id;
use super::environment::Environment;
use super::error::CliError;
use super::events::Events;
use super::interrupt::Interrupts;
use super::secrets;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::base::{SessionId, parse_duration};
use crate::browser::{Flavor, LaunchOptions};
use crate::diagnose::{self, Script};
use crate::run::{self, Job, Limits, Report};
use crate::session::WorkspaceConfig;

/// The exit code of a run that did not come to its own end.
const INTERRUPTED: u8 = 130;

/// What the script is called that comes on stdin.
const STDIN_NAME: &str = "<stdin>";

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
    /// An argument for the script: args.KEY; may be given again
    #[arg(long = "arg", short = 'a', value_name = "KEY=VALUE", value_parser = pair)]
    args: Vec<(String, String)>,
    /// The session to restore before the first line and to save after the last
    #[arg(long, value_name = "ID", value_parser = session_id)]
    session: Option<SessionId>,
    /// Show the browser's window
    #[arg(long)]
    headed: bool,
    /// A pause after every verb, to watch
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    slow_mo: Option<Duration>,
    /// How long the whole run may take [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// A secret; other users of this machine can see it while it runs
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = pair)]
    secrets: Vec<(String, String)>,
    /// A file of NAME=VALUE lines that only you can read (mode 0600)
    #[arg(long, value_name = "FILE")]
    secrets_file: Option<PathBuf>,
    /// A variable of the environment that the script may read: env("NAME"); may be given again
    #[arg(long = "allow-env", value_name = "NAME")]
    allow_env: Vec<String>,
    /// Write a report: json=PATH; may be given again
    #[arg(long = "report", value_name = "KIND=PATH", value_parser = report_target)]
    reports: Vec<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // The text may be a secret and is not repeated.
        _ => Err("NAME=VALUE is wanted".to_owned()),
    }
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
    let job = job(args, settings, environment, terminal)?;
    let import_root = job.import_root.clone();
    let mut interrupts = Interrupts::catch()
        .map_err(|error| CliError::Value { what: "signals".to_owned(), reason: error.to_string() })?;
    // What dead runs left is cleared away while this one starts.
    let reaping = tokio::task::spawn_blocking(crate::browser::reap);
    let cancel = CancellationToken::new();
    let events = Events::new(terminal.clone(), cancel.clone());
    let shown = events.clone();
    let mut running = std::pin::pin!(run::run(job, cancel.clone(), move |event| shown.show(event)));
    let mut asked = false;
    let mut report = loop {
        tokio::select! {
            report = &mut running => break report,
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
    if let (Some(failure), Some((message, hint))) = (&mut report.failure, settings.missing_browser())
        && failure.code == "browser_not_installed"
    {
        failure.message = message;
        failure.hint = Some(hint);
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
        terminal.failure(failure, &Script { name: &report.name, text: &report.source, imported: &imported });
    }
    for session in &report.sessions {
        for line in diagnose::session_lines(session, terminal.verbose(), terminal.style) {
            terminal.note(&line);
        }
    }
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

/// The text of an imported module, for an excerpt.
pub(super) fn read_import(root: &Path, file: &str) -> Option<String> {
    crate::script::locate_module(root, file).ok().map(|module| module.text)
}

fn job(args: RunArgs, settings: &Settings, environment: &Environment, terminal: &Terminal) -> Result<Job, CliError> {
    if !args.secrets.is_empty() {
        terminal.note("note: --secret can be seen by other users of this machine; --secrets-file cannot");
    }
    let secrets_file = args.secrets_file.as_ref().or(settings.secrets_file.as_ref());
    let secrets = secrets::collect(environment, secrets_file.map(PathBuf::as_path), &args.secrets)?;
    let (source, name, import_root) = read_script(&args.file, environment)?;
    let mut env = BTreeMap::new();
    for name in args.allow_env {
        if let Some(value) = environment.text(&name)? {
            env.insert(name, value);
        }
    }
    let headed = args.headed || settings.headed;
    if headed && cfg!(target_os = "linux") && !environment.is_set("DISPLAY") && !environment.is_set("WAYLAND_DISPLAY") {
        return Err(CliError::NoDisplay);
    }
    let wall_time = args.timeout.or(settings.timeout);
    let limits = Limits::default();
    Ok(Job {
        source,
        name: name.clone(),
        import_root,
        working_folder: environment.working_folder.clone(),
        args: args.args.into_iter().collect::<BTreeMap<_, _>>(),
        env,
        session: args.session,
        secrets,
        workspace: WorkspaceConfig {
            tenant: settings.tenant.clone(),
            store: settings.store.clone(),
            key: settings.key.clone(),
            launch: LaunchOptions {
                flavor: if headed { Flavor::Full } else { Flavor::HeadlessShell },
                headed,
                executable: settings.chromium.clone(),
                downloads: Some(settings.downloads.clone()),
                ..LaunchOptions::default()
            },
            holder: format!("rhaven run {name}"),
            ttl: settings.ttl,
        },
        limits: Limits { wall_time: wall_time.unwrap_or(limits.wall_time), ..limits },
        slow_mo: args.slow_mo.or(settings.slow_mo),
    })
}

/// A script's text, its name in messages and the folder that its imports resolve below.
pub(super) fn read_script(file: &str, environment: &Environment) -> Result<(String, String, PathBuf), CliError> {
    let unreadable = |error: std::io::Error| CliError::File {
        what: "the script",
        path: file.into(),
        verb: "read",
        reason: error.to_string(),
    };
    if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
        return Ok((text, STDIN_NAME.to_owned(), environment.working_folder.clone()));
    }
    let path = environment.working_folder.join(file);
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    let folder = path.parent().unwrap_or(&environment.working_folder).to_owned();
    Ok((text, file.to_owned(), folder))
}
