//! `rhaven browser install`: the system's packages, or the vendor's download with its progress.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::Outcome;
use super::error::CliError;
use super::settings::Settings;
use super::tables::show_bytes;
use super::terminal::Terminal;
use crate::browser::{self, BrowserError, DownloadProgress, Flavor, InstallPlan, System};
use crate::diagnose;
use crate::run::Failure;

/// Without a terminal a line comes each time that so much more has arrived.
const LINE_EVERY: u64 = 25 << 20;

/// How often a terminal's line is drawn anew although nothing came.
const TICK: Duration = Duration::from_millis(120);

/// Arguments of `browser install`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven browser install               Debian's packages as root on Debian, else the vendor's download
  rhaven browser install --download    into your own folder, whatever the system
  rhaven browser install --download --headed

Nothing is ever run through sudo.")]
pub(super) struct InstallArgs {
    /// The system's packages; on Debian as root
    #[arg(long, conflicts_with = "download")]
    system: bool,
    /// The vendor's build, into your cache folder
    #[arg(long)]
    download: bool,
    /// The Chromium that has a window too, not only the quicker one without
    #[arg(long)]
    headed: bool,
}

/// Installs a Chromium as asked, or as the system suggests.
pub(super) async fn execute(args: &InstallArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    let folder = &settings.downloads;
    let plan = if args.download {
        InstallPlan::Download { folder: folder.clone() }
    } else {
        browser::plan(&System::here(), folder).map_err(|error| failure(&error))?
    };
    match plan {
        InstallPlan::Apt(commands) => {
            for command in &commands {
                run(command, terminal).await?;
            }
        }
        InstallPlan::Download { .. } if args.system => {
            let reason = "the system's packages can only be installed on Debian, as root".to_owned();
            return Err(CliError::Value { what: "--system".to_owned(), reason }.into());
        }
        InstallPlan::Download { folder } => {
            let flavors =
                if args.headed { vec![Flavor::HeadlessShell, Flavor::Full] } else { vec![Flavor::HeadlessShell] };
            for flavor in flavors {
                download(flavor, &folder, terminal).await?;
            }
        }
    }
    let found = browser::find(Flavor::HeadlessShell, Some(folder)).map_err(|error| failure(&error))?;
    terminal.data(&found.path.display().to_string());
    Ok(super::OK)
}

fn failure(error: &BrowserError) -> Box<Failure> {
    Box::new(diagnose::browser_failure(error))
}

/// Runs a command with its output on stderr: stdout is for data.
async fn run(command: &[String], terminal: &Terminal) -> Result<(), CliError> {
    let line = command.join(" ");
    let failed = |reason: String| CliError::Command { command: line.clone(), reason };
    let Some((program, args)) = command.split_first() else { return Ok(()) };
    terminal.note(&format!("running: {line}"));
    let status = tokio::process::Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}

async fn download(flavor: Flavor, folder: &Path, terminal: &Terminal) -> Result<(), Box<Failure>> {
    let name = match flavor {
        Flavor::HeadlessShell => "the headless shell",
        Flavor::Full => "Chromium",
    };
    terminal.note(&format!("downloading {name} to {}; it takes a minute or two", folder.display()));
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if terminal.loud() {
        bar.enable_steady_tick(TICK);
    } else {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let mut told = 0;
    let done = browser::download(flavor, folder, |progress| match progress {
        DownloadProgress::Bytes(bytes) => {
            bar.set_message(show_bytes(bytes));
            if bar.is_hidden() && bytes >= told + LINE_EVERY {
                told = bytes;
                terminal.note(&format!("  {} so far", show_bytes(bytes)));
            }
        }
        DownloadProgress::Unpacking => {
            bar.set_message("unpacking");
            if bar.is_hidden() {
                terminal.note("  unpacking");
            }
        }
    })
    .await;
    bar.finish_and_clear();
    let path = done.map_err(|error| failure(&error))?;
    terminal.note(&format!("{} is there", path.display()));
    Ok(())
}
