//! `rhaven session export|import`: sessions as files.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use zeroize::Zeroizing;

use super::args::session_id;
use super::environment::Environment;
use super::error::CliError;
use super::passphrase::passphrase;
use super::session::{failure, with_near};
use super::settings::Settings;
use super::terminal::Terminal;
use crate::base::SessionId;
use crate::run::Failure;
use crate::session::{Exported, Format, ImportOptions, Imported, Partial, SessionError, Sessions};

/// Where a bundle's passphrase comes from.
const PASSPHRASE: &str = "RHAVEN_BUNDLE_PASSPHRASE";
/// The most that is read of a file, in bytes: no session is larger.
const MAX_BYTES: u64 = 2 << 30;
/// How many names a line of what was lost shows.
const NAMES_SHOWN: usize = 5;

/// Arguments of `session export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven session export acme -o acme.bundle                        everything, sealed under a passphrase
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
    /// Put it in the place of a file that is there
    #[arg(long, requires = "output")]
    force: bool,
}

/// Arguments of `session import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven session import acme acme.bundle
  rhaven session import acme state.json --replace     a new version of a session that is there

The format is told by what stands in the file. A bundle's passphrase is asked for, or taken from \
RHAVEN_BUNDLE_PASSPHRASE.")]
pub(super) struct ImportArgs {
    /// The session to make
    #[arg(value_parser = session_id)]
    id: SessionId,
    /// The file; - for standard input
    file: PathBuf,
    /// The format, where it is not to be told by what stands in the file
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Where the session is there already, make this its newest version
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// Playwright's storageState: cookies, localStorage and `IndexedDB`, in clear
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

/// Writes a session to a file or standard output.
pub(super) async fn export(
    args: &ExportArgs,
    sessions: &Sessions,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<(), Box<Failure>> {
    let format = Format::from(args.format);
    let output = args.output.as_ref().map(|path| environment.working_folder.join(path));
    may_write(args, format, output.as_deref(), terminal)?;
    let secret = if format.is_clear() { None } else { passphrase(environment, PASSPHRASE, true)? };
    let exported = match sessions.export(&settings.tenant, &args.id, format, secret.as_ref()).await {
        Ok(exported) => exported,
        Err(error @ SessionError::NotFound(_)) => return Err(with_near(&error, sessions, settings).await),
        Err(error) => return Err(told(&error)),
    };
    match &output {
        Some(path) => write(path, &exported.bytes, args.force).map_err(|error| unwritten(&error, path))?,
        None => put(&exported.bytes)?,
    }
    tell_export(args, format, &exported, terminal);
    Ok(())
}

/// Refuses what can be refused before a passphrase is asked for.
fn may_write(
    args: &ExportArgs,
    format: Format,
    output: Option<&Path>,
    terminal: &Terminal,
) -> Result<(), Box<Failure>> {
    let refused = |what: &str, reason: &str| CliError::Value { what: what.to_owned(), reason: reason.to_owned() };
    match output {
        Some(path) if path.symlink_metadata().is_ok() && !args.force => Err(exists(path)),
        None if terminal.json => {
            Err(refused("--json", "standard output would hold two documents; give -o FILE").into())
        }
        None if !format.is_clear() && terminal.out_tty => {
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
    if error.kind() == std::io::ErrorKind::AlreadyExists {
        return exists(path);
    }
    CliError::File { what: "the export", path: path.to_owned(), verb: "written", reason: error.to_string() }.into()
}

/// Writes a file for its owner only: whole, or not at all.
fn write(path: &Path, bytes: &[u8], force: bool) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // A link fails where something has come to be there meanwhile; a renaming would replace it.
        if force { std::fs::rename(&draft, path) } else { std::fs::hard_link(&draft, path) }
    })();
    // After a renaming there is none left.
    let _ = std::fs::remove_file(&draft);
    written?;
    std::fs::File::open(folder)?.sync_all()
}

fn put(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // Whoever reads has had enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(CliError::File { what: "the export", path: "-".into(), verb: "written", reason: error.to_string() })
        }
        Ok(()) => Ok(()),
    }
}

fn tell_export(args: &ExportArgs, format: Format, exported: &Exported, terminal: &Terminal) {
    let Exported { version, cookies, origins, lost, .. } = exported;
    if let Some(path) = args.output.as_ref().filter(|_| terminal.json) {
        terminal.value(&serde_json::json!({
            "session": args.id, "version": version, "format": format.name(), "file": path, "clear": format.is_clear(),
            "cookies": cookies, "origins": origins, "lost": lost,
        }));
        return;
    }
    let to = args.output.as_ref().map_or_else(String::new, |path| format!(" to {}", path.display()));
    let contents = counts(*cookies, *origins);
    terminal.note(&format!("session {} {version}: {contents} written{to} ({})", args.id, format.name()));
    if format.is_clear() {
        terminal.note("warning: this is in clear: whoever reads it is signed in; --format bundle seals it");
    }
    tell_lost("not in it", lost, terminal);
}

/// Makes a session from a file.
pub(super) async fn import(
    args: &ImportArgs,
    sessions: &Sessions,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<(), Box<Failure>> {
    let bytes = read(&args.file, environment)?;
    let format = match args.format {
        Some(format) => format.into(),
        None => Format::recognise(&bytes).map_err(|error| told(&error.into()))?,
    };
    let passphrase = if format.is_clear() { None } else { passphrase(environment, PASSPHRASE, false)? };
    let options = ImportOptions { format: Some(format), replace: args.replace, passphrase, ttl: settings.ttl };
    let imported = sessions.import(&settings.tenant, &args.id, &bytes, &options).await.map_err(|e| told(&e))?;
    tell_import(args, &imported, terminal);
    Ok(())
}

fn read(file: &Path, environment: &Environment) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let unread = |reason: String| CliError::File { what: "the import", path: file.to_owned(), verb: "read", reason };
    let mut bytes = Zeroizing::new(Vec::new());
    let read = if file.as_os_str() == "-" {
        if std::io::stdin().is_terminal() {
            return Err(unread("standard input is a terminal".to_owned()));
        }
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        let opened = std::fs::File::open(environment.working_folder.join(file));
        opened.and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
    };
    match read {
        Ok(length) if length as u64 > MAX_BYTES => Err(unread("it is larger than 2 GiB".to_owned())),
        Ok(_) => Ok(bytes),
        Err(error) => Err(unread(error.to_string())),
    }
}

fn tell_import(args: &ImportArgs, imported: &Imported, terminal: &Terminal) {
    let Imported { format, replaced, version, cookies, origins, lost } = imported;
    if terminal.json {
        terminal.value(&serde_json::json!({
            "session": args.id, "version": version, "replaced": replaced, "format": format.name(),
            "cookies": cookies, "origins": origins, "lost": lost,
        }));
        return;
    }
    let over = replaced.map(|version| format!(", over {version}")).unwrap_or_default();
    let (contents, name) = (counts(*cookies, *origins), format.name());
    terminal.note(&format!("session {} {version}{over}: {contents} imported ({name})", args.id));
    tell_lost("not taken", lost, terminal);
}

fn counts(cookies: usize, origins: usize) -> String {
    let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    format!("{}, storage of {}", many(cookies, "cookie"), many(origins, "origin"))
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
        let line: String = format!("{heading}: {store}{names}{of}: {reason}").chars().flat_map(printable).collect();
        terminal.note(&line);
    }
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = escaped.is_none().then_some(character);
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// A failure with the way out that fits a file.
fn told(error: &SessionError) -> Box<Failure> {
    let mut failure = failure(error);
    let SessionError::Portable(_) = error else { return failure };
    failure.hint = match failure.code.as_str() {
        "session_exists" => Some("another id, or --replace to make this its newest version".to_owned()),
        "passphrase_required" => {
            Some(format!("set {PASSPHRASE}, or run it on a terminal, where the passphrase is asked for"))
        }
        "decrypt_failed" => Some("is it the right passphrase, and the whole file? nothing was imported".to_owned()),
        _ => failure.hint,
    };
    failure
}
