//! `rhaven session export|import`: sessions as files.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tokio::io::AsyncWrite;
use tokio_util::sync::CancellationToken;

use super::{Place, directory, failure, with_near};
use crate::base::SessionId;
use crate::cli::args::session_id;
use crate::cli::environment::Environment;
use crate::cli::error::CliError;
use crate::cli::interrupt::{INTERRUPTED, Interrupts};
use crate::cli::passphrase::{Answer, passphrase};
use crate::cli::private::PrivateFile;
use crate::cli::terminal::Terminal;
use crate::cli::{self, Outcome};
use crate::diagnose::visible_line;
use crate::run::Failure;
use crate::session::{Exported, Format, ImportOptions, Imported, Partial, PortableError, SessionError, Source};

/// Where a bundle's passphrase comes from.
const PASSPHRASE: &str = "RHAVEN_BUNDLE_PASSPHRASE";
/// How many names a line of what was lost shows.
const NAMES_SHOWN: usize = 5;

/// Arguments of `session export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven session export acme -o acme.bundle                        everything, sealed under a passphrase
  rhaven session export acme --all-versions -o acme.bundle         with its history
  rhaven session export acme --format playwright -o state.json     for newContext({ storageState })
  rhaven session export acme --format cookies | curl -b - URL

A bundle's passphrase is asked for, or taken from RHAVEN_BUNDLE_PASSPHRASE. The other formats are in clear: whoever reads \
the file is signed in. They cannot hold all of a session; what they lose is listed.")]
pub(super) struct ExportArgs {
    /// The session
    #[arg(value_parser = session_id)]
    id: SessionId,
    /// How to write it
    #[arg(long, value_enum, default_value_t = FormatArg::Bundle)]
    format: FormatArg,
    /// The file, made for its owner only; standard output where it is left out
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// All kept versions with their times, not only the newest; in a bundle
    #[arg(long)]
    all_versions: bool,
    /// Put it in the place of a file that is there
    #[arg(long, requires = "output")]
    force: bool,
}

/// Arguments of `session import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven session import acme acme.bundle
  rhaven session import acme state.json --replace    a new version of a session that is there
  rhaven session import acme ~/.config/chromium      a browser's own user-data directory

The format is told by what stands in the file; a directory is a profile. A bundle's passphrase is asked for, or taken from \
RHAVEN_BUNDLE_PASSPHRASE. Close the browser before its profile is imported: it is read, and stays as it is.")]
pub(super) struct ImportArgs {
    /// The session to make
    #[arg(value_parser = session_id)]
    pub(super) id: SessionId,
    /// The file, or a browser's user-data directory; - for standard input
    pub(super) file: PathBuf,
    /// The format, where it is not to be told by what stands in the file
    #[arg(long, value_enum)]
    pub(super) format: Option<ImportFormat>,
    /// Where the session is there already, make this its newest version; not of a profile
    #[arg(long)]
    pub(super) replace: bool,
}

/// What can be imported: what can be exported, and a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ImportFormat {
    #[value(help = "Playwright's storageState: cookies, localStorage and IndexedDB, in clear")]
    Playwright,
    /// Netscape's cookies.txt, as curl reads it: cookies, in clear
    Cookies,
    /// Everything, sealed under a passphrase
    Bundle,
    /// A Chrome or Chromium user-data directory
    Profile,
}

impl ImportFormat {
    /// The format of a file; none of a directory.
    fn of_file(self) -> Option<Format> {
        match self {
            Self::Playwright => Some(Format::Playwright),
            Self::Cookies => Some(Format::Cookies),
            Self::Bundle => Some(Format::Bundle),
            Self::Profile => None,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    #[value(help = "Playwright's storageState: cookies, localStorage and IndexedDB, in clear")]
    Playwright,
    /// Netscape's cookies.txt, as curl reads it: cookies, in clear
    Cookies,
    /// Everything, sealed under a passphrase
    Bundle,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Playwright => Self::Playwright,
            FormatArg::Cookies => Self::Cookies,
            FormatArg::Bundle => Self::Bundle,
        }
    }
}

/// Writes a session to a file or standard output; the exit code.
pub(super) async fn export(place: &Place<'_>, args: &ExportArgs) -> Outcome {
    let Place { sessions, settings, environment, terminal } = *place;
    let format = Format::from(args.format);
    let output = args.output.as_ref().map(|path| environment.working_folder.join(path));
    may_write(args, format, output.as_deref(), terminal)?;
    // Asked before the passphrase, so that nobody types one for nothing.
    if let Err(error @ SessionError::NotFound(_)) = sessions.history(&settings.tenant, &args.id).await {
        return Err(with_near(&error, sessions, settings).await);
    }
    let secret = match secret(place, format, true).await? {
        Answer::Given(secret) => Some(secret),
        Answer::Nobody => None,
        Answer::GivenUp => return Ok(INTERRUPTED),
    };
    let write = async |out: &mut (dyn AsyncWrite + Send + Unpin)| {
        if let (true, Some(secret)) = (args.all_versions, &secret) {
            return sessions.export_all(&settings.tenant, &args.id, secret, out).await;
        }
        sessions.export(&settings.tenant, &args.id, format, secret.as_ref(), out).await
    };
    let exported = if let Some(path) = &output {
        let (file, handle) = PrivateFile::create(path).map_err(|error| unwritten(&error, path))?;
        let mut out = tokio::fs::File::from_std(handle);
        let Some(exported) = unless_interrupted(write(&mut out)).await else { return Ok(INTERRUPTED) };
        let exported = exported.map_err(|error| told(&error))?;
        let handle = out.into_std().await;
        file.keep(&handle, args.force).map_err(|error| unwritten(&error, path))?;
        exported
    } else {
        let stdout = stream(std::io::stdout()).map_err(|error| unwritten(&error, Path::new("-")))?;
        let Some(written) = unless_interrupted(write(&mut { stdout })).await else { return Ok(INTERRUPTED) };
        match written {
            // Whoever reads has had enough.
            Err(SessionError::Portable(PortableError::Write(error))) if error.kind() == ErrorKind::BrokenPipe => {
                return Ok(cli::OK);
            }
            written => written.map_err(|error| told(&error))?,
        }
    };
    tell_export(args, format, &exported, terminal);
    Ok(cli::OK)
}

/// What `work` comes to; none after Ctrl-C or SIGTERM.
pub(super) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    let Ok(mut interrupts) = Interrupts::catch() else { return Some(work.await) };
    tokio::select! {
        done = work => Some(done),
        () = interrupts.next() => None,
    }
}

/// Standard input or output as a file.
fn stream(stream: impl AsFd) -> std::io::Result<tokio::fs::File> {
    Ok(tokio::fs::File::from_std(std::fs::File::from(stream.as_fd().try_clone_to_owned()?)))
}

/// What a bundle is sealed under. Of the other formats nothing is asked.
async fn secret(place: &Place<'_>, format: Format, is_new: bool) -> Result<Answer, CliError> {
    if format.is_clear() {
        return Ok(Answer::Nobody);
    }
    passphrase(place.environment, PASSPHRASE, is_new, place.terminal).await
}

/// Refuses what can be refused before a passphrase is asked for.
fn may_write(
    args: &ExportArgs,
    format: Format,
    output: Option<&Path>,
    terminal: &Terminal,
) -> Result<(), Box<Failure>> {
    let refused = |what: &str, reason: &str| CliError::Value { what: what.to_owned(), reason: reason.to_owned() };
    if args.all_versions && format != Format::Bundle {
        return Err(refused("--all-versions", "only a bundle holds more than the newest version").into());
    }
    match output {
        Some(path) if path.symlink_metadata().is_ok() && !args.force => Err(exists(path)),
        None if terminal.json => {
            Err(refused("--json", "standard output would hold two documents; give -o FILE").into())
        }
        None if terminal.out_tty && format.is_clear() => {
            let reason = "whoever sees it is signed in, so it is not shown on a terminal; give -o FILE, or a pipe";
            Err(refused(&format!("--format {}", format.name()), reason).into())
        }
        None if terminal.out_tty => {
            Err(refused("--format bundle", "a bundle is no text to show on a terminal; give -o FILE").into())
        }
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> Box<Failure> {
    let mut failure = Box::<Failure>::from(CliError::Exists { path: path.to_owned() });
    failure.hint = Some("give another name, or --force to put it in that one's place".to_owned());
    failure
}

fn unwritten(error: &std::io::Error, path: &Path) -> Box<Failure> {
    if error.kind() == ErrorKind::AlreadyExists {
        return exists(path);
    }
    CliError::File { what: "the export", path: path.to_owned(), verb: "written", reason: error.to_string() }.into()
}

fn tell_export(args: &ExportArgs, format: Format, exported: &Exported, terminal: &Terminal) {
    let Exported { version, cookies, origins, versions, lost } = exported;
    if let Some(path) = args.output.as_ref().filter(|_| terminal.json) {
        terminal.value(&serde_json::json!({
            "session": args.id, "version": version, "format": format.name(), "file": path, "clear": format.is_clear(),
            "cookies": cookies, "origins": origins, "versions": versions, "lost": lost,
        }));
        return;
    }
    let to = args.output.as_ref().map_or_else(String::new, |path| format!(" to {}", path.display()));
    let contents = format!("{}{}", counts(*cookies, *origins), history(*versions));
    terminal.note(&format!("session {} {version}: {contents} written{to} ({})", args.id, format.name()));
    if format.is_clear() {
        terminal.note("warning: this is in clear: whoever reads it is signed in; --format bundle seals it");
    }
    tell_lost("not in it", lost, terminal);
}

/// Makes a session from a file; the exit code.
pub(super) async fn import(place: &Place<'_>, args: &ImportArgs) -> Outcome {
    let Place { sessions, settings, terminal, .. } = *place;
    if args.format == Some(ImportFormat::Profile) || place.environment.working_folder.join(&args.file).is_dir() {
        return directory::import(place, args).await;
    }
    let source = source(args, place.environment).await?;
    let passphrase = match secret(place, source.format(), false).await? {
        Answer::Given(secret) => Some(secret),
        Answer::Nobody => None,
        Answer::GivenUp => return Ok(INTERRUPTED),
    };
    let given_up = CancellationToken::new();
    let options = ImportOptions { replace: args.replace, passphrase, ttl: settings.ttl, given_up: given_up.clone() };
    let import = sessions.import(&settings.tenant, &args.id, source, &options);
    tokio::pin!(import);
    let imported = if let Some(imported) = unless_interrupted(&mut import).await {
        imported
    } else {
        // It takes back what it has written.
        given_up.cancel();
        import.await
    };
    let imported = match imported {
        Err(SessionError::Portable(PortableError::GivenUp)) => return Ok(INTERRUPTED),
        imported => imported.map_err(|error| told(&error))?,
    };
    tell_import(args, &imported, terminal);
    Ok(cli::OK)
}

async fn source(args: &ImportArgs, environment: &Environment) -> Result<Source, Box<Failure>> {
    let unread = |reason: String| CliError::File { what: "the import", path: args.file.clone(), verb: "read", reason };
    let format = args.format.and_then(ImportFormat::of_file);
    let opened = if args.file.as_os_str() == "-" {
        if std::io::stdin().is_terminal() {
            return Err(unread("standard input is a terminal".to_owned()).into());
        }
        Source::open(stream(std::io::stdin()).map_err(|error| unread(error.to_string()))?, format).await
    } else {
        let path = environment.working_folder.join(&args.file);
        let file = tokio::fs::File::open(path).await.map_err(|error| unread(error.to_string()))?;
        Source::open(file, format).await
    };
    opened.map_err(|error| match error {
        PortableError::Read(error) => unread(error.to_string()).into(),
        error => told(&error.into()),
    })
}

fn tell_import(args: &ImportArgs, imported: &Imported, terminal: &Terminal) {
    let Imported { format, replaced, version, versions, cookies, origins, lost } = imported;
    if terminal.json {
        terminal.value(&serde_json::json!({
            "session": args.id, "version": version, "replaced": replaced, "format": format.name(),
            "cookies": cookies, "origins": origins, "versions": versions, "lost": lost,
        }));
        return;
    }
    let over = replaced.map(|version| format!(", over {version}")).unwrap_or_default();
    let (contents, name) = (format!("{}{}", counts(*cookies, *origins), history(*versions)), format.name());
    terminal.note(&format!("session {} {version}{over}: {contents} imported ({name})", args.id));
    tell_lost("not taken", lost, terminal);
}

fn counts(cookies: usize, origins: usize) -> String {
    let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    format!("{}, storage of {}", many(cookies, "cookie"), many(origins, "origin"))
}

/// That more than one version is in it.
fn history(versions: usize) -> String {
    if versions > 1 { format!(", {versions} versions") } else { String::new() }
}

/// What a conversion lost, by name: a line per kind, origin and reason.
fn tell_lost(heading: &str, lost: &[Partial], terminal: &Terminal) {
    let mut lines: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for one in lost {
        lines.entry((&one.store, &one.origin, &one.reason)).or_default().extend(one.key.as_deref());
    }
    for ((store, origin, reason), keys) in lines {
        let shown = keys.iter().take(NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
        let more = keys.len().saturating_sub(NAMES_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let of = if origin == "-" { String::new() } else { format!(" of {origin}") };
        let names = if shown.is_empty() { String::new() } else { format!(" {shown}{more}") };
        // Names come from sites and files.
        terminal.note(&visible_line(&format!("{heading}: {store}{names}{of}: {reason}")));
    }
}

/// A failure with the way out that fits a file.
fn told(error: &SessionError) -> Box<Failure> {
    let mut failure = failure(error);
    let (SessionError::Portable(_) | SessionError::Exists(_)) = error else { return failure };
    failure.hint = match failure.code.as_str() {
        "session_exists" => Some("another id, or --replace to make this its newest version".to_owned()),
        "passphrase_required" => {
            Some(format!("set {PASSPHRASE}, or run it on a terminal, where the passphrase is asked for"))
        }
        "invalid_import" if failure.message.contains("does not begin as one") => {
            Some("without --format it is told by what stands in the file; nothing was imported".to_owned())
        }
        "decrypt_failed" => Some("is it the right passphrase, and the whole file? nothing was imported".to_owned()),
        _ => failure.hint,
    };
    failure
}
