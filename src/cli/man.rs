//! `rhaven man`: the manual pages, from the grammar of the command line.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::Outcome;
use super::args::Cli;
use super::environment::Environment;
use super::error::CliError;
use super::terminal::Terminal;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven man | man -l -                             read it
  rhaven man --out ~/.local/share/man/man1          a page for each command: man rhaven, man rhaven-run")]
pub(super) struct ManArgs {
    /// A folder for the pages of all commands; made where it is missing
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Prints the page of the whole, or writes all of them.
pub(super) fn execute(args: &ManArgs, environment: &Environment, terminal: &Terminal) -> Outcome {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let Some(folder) = &args.out else {
        let (_, text) = page(&root, Path::new("standard output"))?;
        terminal.data(text.trim_end());
        return Ok(super::OK);
    };
    let target = environment.working_folder.join(folder);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| CliError::File {
            what: "the page",
            path,
            verb: "written",
            reason: error.to_string(),
        }
    };
    std::fs::create_dir_all(&target).map_err(failed(folder))?;
    for command in with_subcommands(&root) {
        let (name, text) = page(command, folder)?;
        std::fs::write(target.join(&name), text).map_err(failed(&folder.join(&name)))?;
        terminal.data(&folder.join(&name).display().to_string());
    }
    Ok(super::OK)
}

/// A command and all below it that are shown.
fn with_subcommands(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    std::iter::once(command).chain(below.flat_map(with_subcommands)).collect()
}

/// The file name and the text of a command's page; `target` is named where it cannot be made.
fn page(command: &clap::Command, target: &Path) -> Result<(String, String), CliError> {
    let source = concat!("rhaven ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source).manual("Rhaven");
    let mut text = Vec::new();
    man.render(&mut text).map_err(|error| CliError::File {
        what: "the page",
        path: target.to_owned(),
        verb: "written",
        reason: error.to_string(),
    })?;
    Ok((man.get_filename(), as_examples(&String::from_utf8_lossy(&text))))
}

/// The part that holds our examples, called so, and with its lines left as they stand.
fn as_examples(page: &str) -> String {
    let Some((before, after)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let (body, rest) = match after.find("\n.SH ") {
        Some(end) => after.split_at(end + 1),
        None => (after, ""),
    };
    let body = body.strip_prefix("Examples:\n").unwrap_or(body);
    format!("{before}.SH EXAMPLES\n.nf\n{body}.fi\n{rest}")
}
