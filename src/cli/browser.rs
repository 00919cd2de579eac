//! `rhaven browser`: which Chromium is used, which ones are here.

use super::Outcome;
use super::settings::Settings;
use super::tables::table;
use super::terminal::Terminal;
use crate::browser::{self, BrowserError, Flavor, Found};
use crate::diagnose;
use crate::run::Failure;

/// Arguments of `browser`.
#[derive(Debug, clap::Args)]
pub(super) struct BrowserArgs {
    #[command(subcommand)]
    command: BrowserCommand,
}

#[derive(Debug, clap::Subcommand)]
enum BrowserCommand {
    /// The Chromiums on this machine, the one that is used first
    #[command(visible_alias = "ls")]
    List,
    /// Install one: the system's packages where that can be done, else the vendor's download
    Install(super::install::InstallArgs),
    /// The path of the Chromium that is used
    Path {
        /// That of the one with a window
        #[arg(long)]
        headed: bool,
    },
}

/// Lists, tells or installs.
pub(super) async fn execute(args: &BrowserArgs, settings: &Settings, terminal: &Terminal) -> Outcome {
    match &args.command {
        BrowserCommand::List => list(settings, terminal)?,
        BrowserCommand::Install(args) => return super::install::execute(args, settings, terminal).await,
        BrowserCommand::Path { headed } => {
            let found = used(settings, if *headed { Flavor::Full } else { Flavor::HeadlessShell })?;
            if terminal.json {
                terminal.value(&json(&found));
            } else {
                terminal.data(&found.path.display().to_string());
            }
        }
    }
    Ok(super::OK)
}

/// The one that a run would start.
pub(super) fn used(settings: &Settings, flavor: Flavor) -> Result<Found, Box<Failure>> {
    let found = match &settings.chromium {
        Some(path) => browser::named(path),
        None => browser::find(flavor, Some(&settings.downloads)),
    };
    found.map_err(|error| failure(&error))
}

fn failure(error: &BrowserError) -> Box<Failure> {
    Box::new(diagnose::browser_failure(error))
}

fn list(settings: &Settings, terminal: &Terminal) -> Result<(), Box<Failure>> {
    let named = settings.chromium.as_ref().map(|path| browser::named(path)).transpose().map_err(|e| failure(&e))?;
    let others = browser::installed(Some(&settings.downloads));
    let all: Vec<Found> = named.into_iter().chain(others).collect();
    if terminal.json {
        terminal.value(&all.iter().map(json).collect());
    } else if all.is_empty() {
        terminal.note("no Chromium was found; `rhaven browser install` gets one");
    } else {
        let rows = all
            .iter()
            .map(|found| [found.path.display().to_string(), flavor(found).to_owned(), found.source.to_owned()]);
        terminal.data(&table(["PATH", "KIND", "FROM"], rows, terminal.out_style, terminal.out_tty));
    }
    Ok(())
}

fn flavor(found: &Found) -> &'static str {
    match found.flavor {
        Flavor::HeadlessShell => "headless shell",
        Flavor::Full => "full",
    }
}

fn json(found: &Found) -> serde_json::Value {
    serde_json::json!({ "path": found.path, "kind": flavor(found), "source": found.source })
}
