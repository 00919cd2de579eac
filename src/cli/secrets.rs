//! The secrets of a run: from the environment, a file, flags; later ones win.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::environment::Environment;
use super::error::CliError;
use crate::base::Secret;

/// What stands before a secret's name in the environment.
const PREFIX: &str = "RHAVEN_SECRET_";

/// The bits of a mode that let others than the owner at a file.
const OTHERS: u32 = 0o077;

/// All secrets at hand, by name.
pub(super) fn collect(
    environment: &Environment,
    file: Option<&Path>,
    flags: &[(String, String)],
) -> Result<BTreeMap<String, Secret>, CliError> {
    let mut secrets = BTreeMap::new();
    // CI hands out a variable that nobody has set as an empty one.
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            secrets.insert(name.to_owned(), Secret::new(name, value));
        }
    };
    for (name, value) in environment.below(PREFIX) {
        add(&name, value?);
    }
    if let Some(path) = file {
        for (name, value) in read_file(path)? {
            add(&name, value);
        }
    }
    for (name, value) in flags {
        add(name, value.clone());
    }
    Ok(secrets)
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, CliError> {
    parse(&read_private("the secrets file", path)?)
        .map_err(|line| CliError::SecretsLine { path: path.to_owned(), line })
}

/// The text of a file that only its owner can read.
pub(super) fn read_private(what: &'static str, path: &Path) -> Result<String, CliError> {
    let unreadable =
        |error: std::io::Error| CliError::File { what, path: path.to_owned(), verb: "read", reason: error.to_string() };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(CliError::SecretsReadable { path: path.to_owned(), mode });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// `NAME=VALUE` lines, values taken literally; blank lines and those that begin with `#` are skipped. The error is the
/// number of the line that is none of these.
fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| match line.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
            _ => Err(index + 1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_environment() {
        let environment = Environment::of(
            &[
                ("RHAVEN_SECRET_A", "env"),
                ("RHAVEN_SECRET_B", "env"),
                ("RHAVEN_SECRET_C", "env"),
                ("RHAVEN_SECRET_D", ""),
                ("OTHER", "x"),
            ],
            Path::new("/"),
        );
        let file = write("# mine\nB=file\n\nC = f=i l \"e\" \n", 0o600);
        let secrets = collect(&environment, Some(file.path()), &[("B".into(), "flag".into())]).unwrap();
        let shown: Vec<_> = secrets.values().map(|secret| (secret.name(), secret.expose())).collect();
        assert_eq!(shown, [("A", "env"), ("B", "flag"), ("C", " f=i l \"e\" ")]);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let file = write("A=secret-value", 0o640);
        let error = collect(&Environment::default(), Some(file.path()), &[]).unwrap_err();
        assert!(error.to_string().ends_with("can be read by other users (mode 0640)"), "{error}");
    }

    #[test]
    fn a_line_that_is_none_is_named_by_number_only() {
        let file = write("A=1\nsecret-value\n", 0o600);
        let error = collect(&Environment::default(), Some(file.path()), &[]).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of ") && !error.contains("secret-value"), "{error}");
    }
}
