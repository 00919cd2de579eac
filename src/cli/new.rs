//! `rhaven new`: a script to begin with, that runs as it stands.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Outcome;
use super::environment::Environment;
use super::error::CliError;
use super::terminal::Terminal;

/// The script's text; `SCRIPT` stands for its name.
const STARTER: &str = include_str!("starter.rhai");
const EXTENSION: &str = "rhai";

/// Arguments of `new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rhaven new orders                orders.rhai, here
  rhaven new shop/orders.rhai      in a folder, which is made where it is missing

The script is commented and runs against the practice site as it stands. Nothing is ever overwritten, and nothing else \
is written.")]
pub(super) struct NewArgs {
    /// The script's name; .rhai is added where it is missing
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

/// Writes the script and says what to do next.
pub(super) fn execute(args: &NewArgs, environment: &Environment, terminal: &Terminal) -> Outcome {
    let name = file_name(&args.name)?;
    let path = environment.working_folder.join(&name);
    let shown = shell_word(&name);
    write_new(&path, &name, &STARTER.replace("SCRIPT", &shown))?;
    if terminal.json {
        terminal.value(&serde_json::json!({ "path": name }));
    } else {
        terminal.data(&name.display().to_string());
        terminal.note(&next_steps(&shown));
    }
    Ok(super::OK)
}

/// The name with its extension.
fn file_name(name: &Path) -> Result<PathBuf, CliError> {
    let bad = |reason: &str| CliError::Value { what: "NAME".to_owned(), reason: reason.to_owned() };
    let written = name.as_os_str().to_string_lossy();
    if name.file_name().is_none() || written.ends_with('/') {
        return Err(bad("a file's name is wanted, such as orders or shop/orders.rhai"));
    }
    if written.chars().any(char::is_control) || written.starts_with('-') {
        return Err(bad("a name that begins with - or holds control characters is hard to run"));
    }
    if name.extension().is_some_and(|extension| extension == EXTENSION) {
        return Ok(name.to_owned());
    }
    let mut extended = name.as_os_str().to_owned();
    extended.push(".");
    extended.push(EXTENSION);
    Ok(extended.into())
}

/// Writes a file that is not there yet; the one that is there is left alone.
fn write_new(path: &Path, name: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::Exists { path: name.to_owned() },
        _ => CliError::File { what: "the script", path: name.to_owned(), verb: "written", reason: error.to_string() },
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

fn next_steps(script: &str) -> String {
    format!(
        "it runs as it is, against the practice site:\n  \
         rhaven practice                  in another terminal\n  \
         export RHAVEN_SECRET_PRACTICE_PASSWORD=\"{password}\"\n  \
         rhaven run {script}\n\
         then make it yours: rhaven check {script} finds mistakes, rhaven docs lists what can be called",
        password = crate::practice::PASSWORD
    )
}

/// A path as a shell wants it.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |char: char| char.is_alphanumeric() || "/._-+@%:,".contains(char);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_their_extension() {
        let check = |name: &str, wanted: &str| assert_eq!(file_name(Path::new(name)).unwrap(), Path::new(wanted));
        check("orders", "orders.rhai");
        check("shop/orders.rhai", "shop/orders.rhai");
        check("v1.2", "v1.2.rhai");
        for bad in ["", "shop/", "..", "--help", "a\nb"] {
            assert!(file_name(Path::new(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(shell_word(Path::new("a/b-c.rhai")), "a/b-c.rhai");
        assert_eq!(shell_word(Path::new("my 'x'.rhai")), r"'my '\''x'\''.rhai'");
    }
}
