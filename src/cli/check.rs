//! `rhaven check`: what can be known to be wrong with scripts before they run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Outcome;
use super::environment::Environment;
use super::error::CliError;
use super::job::{self, read_import};
use super::secrets;
use super::settings::Settings;
use super::terminal::Terminal;
use crate::diagnose::{self, Script};
use crate::run::{Failure, FailureKind};
use crate::script::{self, NamesAsked, NamesTold, Problem, Source};
use crate::session::{SessionError, Sessions};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven check orders.rhai
  rhaven check scripts/            every .rhai below it
  rhaven check scripts/*.rhai --json

Finds syntax errors, unknown functions, options and variables, arguments that do not fit, bad selectors, schemas and \
addresses, missing modules, unset secrets and unknown identities, without a browser. Exit code 2 where anything is wrong.")]
pub(super) struct CheckArgs {
    /// The scripts, or folders of them; - for stdin
    #[arg(required = true, value_name = "FILE|FOLDER")]
    files: Vec<String>,
    /// A file of NAME=VALUE lines; its names count as set secrets
    #[arg(long, value_name = "FILE")]
    secrets_file: Option<PathBuf>,
}

/// Checks all files and shows every problem.
pub(super) async fn execute(
    args: &CheckArgs,
    settings: &Settings,
    environment: &Environment,
    terminal: &Terminal,
) -> Outcome {
    let secrets_file = args.secrets_file.as_ref().or(settings.secrets_file.as_ref());
    let secrets = secrets::collect(environment, secrets_file.map(PathBuf::as_path), &[])?;
    let names: BTreeSet<String> = secrets.into_keys().collect();
    let vault = Vault { settings, sessions: OnceCell::new() };
    let mut count = 0;
    let mut all: Vec<Value> = Vec::new();
    let files = scripts(&args.files, environment)?;
    for file in &files {
        let job::Script { text, name, import_root } = job::Script::read(file, environment)?;
        let problems = problems(text.clone(), import_root.clone(), names.clone(), &vault).await;
        let problems = problems.map_err(|error| Box::new(diagnose::session_failure(&error)))?;
        count += problems.len();
        let imported = |file: &str| read_import(&import_root, file);
        for problem in problems {
            if terminal.json {
                all.push(json!({ "file": name, "problem": problem }));
            } else {
                terminal.failure(&failure(problem), &Script { name: &name, text: &text, imported: &imported });
            }
        }
    }
    if terminal.json {
        terminal.value(&json!({ "ok": count == 0, "problems": all }));
    }
    let files = counted(files.len(), "file");
    if count == 0 {
        terminal.note(&format!("{files}: no problem found"));
        return Ok(super::OK);
    }
    terminal.note(&format!("{files}: {}", counted(count, "problem")));
    Ok(super::failed(FailureKind::Parse))
}

/// The files that are named, and all scripts below the folders that are, each once and in the order of their names.
fn scripts(named: &[String], environment: &Environment) -> Result<Vec<String>, CliError> {
    let mut files: Vec<String> = Vec::new();
    for name in named {
        let path = environment.working_folder.join(name);
        if name == "-" || !path.is_dir() {
            files.push(name.clone());
            continue;
        }
        let mut below = Vec::new();
        scripts_below(&path, Path::new(name), &mut below)?;
        if below.is_empty() {
            let reason = format!("there is no .rhai file in {name} or below");
            return Err(CliError::Value { what: "FILE|FOLDER".to_owned(), reason });
        }
        below.sort();
        files.extend(below.iter().map(|file| file.display().to_string()));
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

/// Links to folders are not followed: they may lead in a circle. Hidden folders hold what is not one's own, and `.d.rhai`
/// files hold no script.
fn scripts_below(folder: &Path, shown: &Path, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let unreadable = |error: std::io::Error| CliError::File {
        what: "the folder",
        path: shown.to_owned(),
        verb: "read",
        reason: error.to_string(),
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(unreadable)?);
        let text = name.to_string_lossy();
        if text.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            scripts_below(&entry.path(), &shown.join(&name), found)?;
        } else if text.ends_with(".rhai") && !text.ends_with(".d.rhai") && entry.path().is_file() {
            found.push(shown.join(&name));
        }
    }
    Ok(())
}

/// Checks one script on a thread whose stack suits it.
async fn problems(
    text: String,
    import_root: PathBuf,
    names: BTreeSet<String>,
    vault: &Vault<'_>,
) -> Result<Vec<Problem>, SessionError> {
    let checked = script::with_names(
        names,
        |asked| vault.look(asked),
        move |has_secret, has_identity| {
            script::check(&Source { text: &text, import_root: &import_root, has_secret, has_identity })
        },
    );
    let no_thread = || Problem {
        code: "out_of_memory".into(),
        message: "the system gave no thread to check the script on".to_owned(),
        place: None,
        hint: None,
    };
    Ok(checked.await?.unwrap_or_else(|| vec![no_thread()]))
}

/// The store, opened when a script names a secret that was not given, or an identity, and once for all scripts.
struct Vault<'a> {
    settings: &'a Settings,
    sessions: OnceCell<Sessions>,
}

impl Vault<'_> {
    /// What it has of what is asked. A store that is not there yet is not made for the question.
    async fn look(&self, asked: NamesAsked) -> Result<NamesTold, SessionError> {
        let Settings { tenant, store, key, .. } = self.settings;
        let NamesAsked { secrets, identities } = asked;
        if !store.exists() {
            let missing_identities = identities.into_iter().map(|name| (name, None)).collect();
            return Ok(NamesTold { secrets: BTreeSet::new(), missing_identities });
        }
        let sessions = self.sessions.get_or_try_init(|| Sessions::open(store.clone(), key.clone())).await?;
        let secrets = sessions.known_secrets(tenant, secrets).await?;
        Ok(NamesTold { secrets, missing_identities: sessions.missing_identities(tenant, identities).await? })
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A problem in the words of a failed run, so that both look the same.
fn failure(problem: Problem) -> Failure {
    Failure {
        kind: FailureKind::Parse,
        place: problem.place,
        ..diagnose::usage_failure(&problem.code, problem.message, problem.hint)
    }
}
